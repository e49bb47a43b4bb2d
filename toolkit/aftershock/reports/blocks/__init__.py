"""Building blocks of pages: results go in, escaped markup and its numbers come out. Nothing is computed or fetched here."""

from aftershock.reports.blocks.answer import Sentence, answer
from aftershock.reports.blocks.attention import Attention, needs_attention
from aftershock.reports.blocks.calendar import Strip, day_by_day
from aftershock.reports.blocks.changes import Began, Rate, Shift, since_when
from aftershock.reports.blocks.chart import chart
from aftershock.reports.blocks.errors import Family, errors
from aftershock.reports.blocks.in_step import OutOfStep, Pair, in_step
from aftershock.reports.blocks.markup import Block
from aftershock.reports.blocks.notes import how_to_read, left_out
from aftershock.reports.blocks.numbers import Number, four_numbers
from aftershock.reports.blocks.recovery import Lasting, Recovery, if_a_step_fails
from aftershock.reports.blocks.statements import Statement, statements
from aftershock.reports.blocks.tables import listing
from aftershock.reports.blocks.title import title_strip
from aftershock.reports.blocks.together import Together, fail_together
from aftershock.reports.blocks.volume import Knee, at_what_volume

__all__ = [
    "Attention",
    "Began",
    "Block",
    "Family",
    "Knee",
    "Lasting",
    "Number",
    "OutOfStep",
    "Pair",
    "Rate",
    "Recovery",
    "Sentence",
    "Shift",
    "Statement",
    "Strip",
    "Together",
    "answer",
    "at_what_volume",
    "chart",
    "day_by_day",
    "errors",
    "fail_together",
    "four_numbers",
    "how_to_read",
    "if_a_step_fails",
    "in_step",
    "left_out",
    "listing",
    "needs_attention",
    "since_when",
    "statements",
    "title_strip",
]
