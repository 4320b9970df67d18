"""The layouts there are. To add one: its value in a file beside this one, and a line here."""

from __future__ import annotations

from schemas.layouts import receiver_files, sis_files
from schemas.layouts.layout import Layout

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        sis_files.GENESIS_LATE_ARRIVAL,
        sis_files.GENESIS_EARLY_RELEASE,
        sis_files.ASCENDER_ABSENCES,
        sis_files.ESCHOOLPLUS_ESMU6,
        sis_files.AERIES_ATT,
        sis_files.POWERSCHOOL_AUTOCOMM,
        receiver_files.CLEVER_ATTENDANCE,
        receiver_files.SECURLY_LATE_TO_SCHOOL,
        receiver_files.SECURLY_LATE_TO_CLASS,
        receiver_files.GENERIC_DAILY,
        receiver_files.GENERIC_PER_PERIOD,
    )
}
