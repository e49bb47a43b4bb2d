"""Building blocks of pages: results go in, escaped markup and its numbers come out. Nothing is computed or fetched here."""

from aftershock.reports.blocks.answer import Sentence, answer
from aftershock.reports.blocks.attention import Attention, needs_attention
from aftershock.reports.blocks.calendar import Strip, day_by_day
from aftershock.reports.blocks.chart import chart
from aftershock.reports.blocks.in_step import OutOfStep, Pair, in_step
from aftershock.reports.blocks.markup import Block
from aftershock.reports.blocks.notes import how_to_read, left_out
from aftershock.reports.blocks.numbers import Number, four_numbers
from aftershock.reports.blocks.recovery import Recovery, if_a_step_fails
from aftershock.reports.blocks.tables import listing
from aftershock.reports.blocks.title import title_strip

__all__ = [
    "Attention",
    "Block",
    "Number",
    "OutOfStep",
    "Pair",
    "Recovery",
    "Sentence",
    "Strip",
    "answer",
    "chart",
    "day_by_day",
    "four_numbers",
    "how_to_read",
    "if_a_step_fails",
    "in_step",
    "left_out",
    "listing",
    "needs_attention",
    "title_strip",
]
