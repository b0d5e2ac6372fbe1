"""The code tables: every code of the standards is read as the table says, and the table says the right thing."""
import pytest

from codec.codes.lookup import read_table
from codec.reading import build_frame, read_frames
from codec.words import CLASS_TEXT, CONDITION_TEXT, STATE_TEXT

SIA = read_table("sia.tsv")
CONTACT_ID = read_table("contact_id.tsv")
# restoral -> what it restores, where the table must clear the same class
SIA_RESTORES = {
    "AR": "AT", "AN": "AS", "BE": "BD", "EJ": "ES", "EN": "EM", "ER": "ET", "FH": "FA", "FR": "FA", "FJ": "FT",
    "FQ": "FW", "FV": "FS", "FU": "FB", "FK": "FI", "GH": "GA", "GR": "GA", "GJ": "GT", "GU": "GB", "IR": "IA",
    "KH": "KA", "KR": "KA", "KJ": "KT", "KU": "KB", "LR": "LT", "MH": "MA", "NR": "NT", "NS": "NA", "OV": "OU",
    "PH": "PA", "QH": "QA", "SH": "SA", "SR": "SA", "SJ": "ST", "SU": "SB", "TE": "TS", "TR": "TA", "TU": "TB",
    "UH": "UA", "VI": "VO", "VR": "VT", "VY": "VZ", "WH": "WA", "WR": "WA", "XH": "XQ", "XJ": "XS", "XR": "XT",
    "YE": "YD", "YH": "YA", "YJ": "YI", "YK": "YC", "YQ": "YP", "YR": "YT", "YZ": "YX", "ZH": "ZA", "ZR": "ZA",
}


def words(meaning: tuple[int, int, int]) -> tuple[str, str, str]:
    signal_class, condition, state = meaning
    return CLASS_TEXT[signal_class], CONDITION_TEXT[condition], STATE_TEXT[state]


def seen(token: str, data: str) -> tuple[str, str, str]:
    frame, = read_frames(build_frame(token, "1234", f"#1234|{data}".encode()), 0)
    signal, = frame["signals"]
    assert signal["flags"] == []
    return signal["class"], signal["condition"], signal["state"]


def test_tables_are_whole() -> None:
    assert len(SIA) == 305 + 20
    assert len(CONTACT_ID) == 322


@pytest.mark.parametrize("code", sorted(SIA))
def test_every_sia_code(code: str) -> None:
    assert seen("SIA-DCS", f"N{code}17") == words(SIA[code])


@pytest.mark.parametrize("code", sorted(CONTACT_ID))
def test_every_contact_id_code(code: str) -> None:
    signal_class, condition, state = words(CONTACT_ID[code])
    assert seen("ADM-CID", f"1{code} 01 017") == (signal_class, condition, state)
    assert seen("ADM-CID", f"6{code} 01 017") == (signal_class, condition, state)
    if state == "raised":
        state = "cleared"
    elif condition == "opening":
        condition = "closing"
    assert seen("ADM-CID", f"3{code} 01 017") == (signal_class, condition, state)


@pytest.mark.parametrize("restoral", sorted(SIA_RESTORES))
def test_restorals_clear_what_was_raised(restoral: str) -> None:
    signal_class, condition, state = words(SIA[SIA_RESTORES[restoral]])
    assert state == "raised"
    assert words(SIA[restoral]) == (signal_class, condition, "cleared")


@pytest.mark.parametrize(("code", "expected"), [
    ("FA", "fire fire raised"), ("FM", "fire fire_confirmed raised"), ("FG", "fire fire_unverified raised"),
    ("FC", "info cancelled info"), ("FL", "info silenced info"), ("SA", "fire waterflow raised"),
    ("WA", "supervisory water_leak raised"), ("KA", "fire heat raised"), ("FT", "fault detector_fault raised"),
    ("FS", "supervisory supervisory raised"), ("AT", "fault mains_fault raised"), ("YT", "fault battery_fault raised"),
    ("YC", "fault communication_fault raised"), ("YS", "fault communication_fault raised"),
    ("FB", "disablement disabled raised"), ("RP", "test periodic_test info"), ("GA", "gas gas raised"),
    ("110", "fire fire raised"), ("111", "fire smoke raised"), ("112", "fire combustion raised"),
    ("113", "fire waterflow raised"), ("114", "fire heat raised"), ("115", "fire manual_call_point raised"),
    ("116", "fire duct raised"), ("117", "fire flame raised"), ("118", "prealarm near_alarm raised"),
    ("151", "gas gas raised"), ("162", "gas carbon_monoxide raised"), ("154", "supervisory water_leak raised"),
    ("200", "supervisory supervisory raised"), ("201", "supervisory low_water_pressure raised"),
    ("202", "supervisory low_agent raised"), ("203", "supervisory valve raised"),
    ("204", "supervisory low_water_level raised"), ("205", "supervisory pump_running raised"),
    ("206", "supervisory pump_failed raised"), ("301", "fault mains_fault raised"),
    ("302", "fault battery_fault raised"),
    ("350", "fault communication_fault raised"), ("373", "fault loop_fault raised"),
    ("570", "disablement disabled raised"), ("602", "test periodic_test info"), ("604", "test test_mode raised"),
    ("912", "info silenced info")])
def test_meanings_that_lives_hang_on(code: str, expected: str) -> None:
    assert " ".join(words((CONTACT_ID if code.isdigit() else SIA)[code])) == expected


def test_fire_leaves_only_for_fire_codes() -> None:
    leaving = {code for code, meaning in {**SIA, **CONTACT_ID}.items()
               if words(meaning)[0] in ("fire", "prealarm", "gas")}
    assert leaving == {"FA", "FG", "FH", "FM", "FR", "GA", "GH", "GR", "KA", "KH", "KR", "SA", "SH", "SR",
                       "110", "111", "112", "113", "114", "115", "116", "117", "118", "151", "162"}
