"""What the code tables of the protocols mean in our words: sia.tsv, contact_id.tsv and their lookup."""
