from engine.filter.rule_file import Rulebook as Rulebook
from engine.filter.rule_file import clash as clash
from engine.filter.rule_file import default_rulebook as default_rulebook
from engine.filter.rule_file import default_text as default_text

class CompiledBook:
    """A rulebook as the filter has it. The filter itself keeps the struct inside; this is for those who ask one."""

    def __init__(self, rulebook: Rulebook) -> None: ...
    def match(self, signal_class: int, condition: int, kind: int | None, way: int, province: str = "",
              commune: str = "", team: str = "") -> int | None:
        """Return the index of the first rule that fits, or None.

        kind  FacilityKind; None: the registry names no building
        way   Way of the building; 0: it leaves it to the rules
        """
    def compiled(self) -> bytes:
        """Return the struct as bytes."""
