def read_table(name: str) -> dict[str, tuple[int, int, int]]:
    """Return code -> (class, condition, state) of `sia.tsv` or `contact_id.tsv`, which lie beside this module.

    Raises  ValueError, KeyError when a line is malformed, doubled or uses a word that is none
    """
