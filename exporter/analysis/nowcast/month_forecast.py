"""What the day and the month will cost by their ends, with quantiles from how far past forecasts were off."""

from __future__ import annotations

from math import exp
from statistics import NormalDist

from exporter.analysis.nowcast.forecast import QUANTILES, MonthForecast
from exporter.analysis.nowcast.replay import Replay
from exporter.analysis.nowcast.track_record import OPEN_HOURS, TrackRecord
from exporter.core.cost_cells import NANO


def forecast_month(replay: Replay, as_of: int, record: TrackRecord) -> MonthForecast | None:
    """Forecast the billing month of the hour `as_of`, and its day; None while nothing is known."""
    calendar = replay.calendar
    begin, end = calendar.month_hours(calendar.month(as_of))
    day_begin, day_end = calendar.day_hours(calendar.day(as_of))
    since = max(min(max(begin, as_of - OPEN_HOURS), day_begin), replay.known.first_hour)
    made = replay.estimate(as_of, since, end)
    if not replay.known.seen.any():
        return None
    to_come = replay.to_come(as_of, made).sum(axis=0)
    billed = float(replay.billed(max(begin, replay.known.first_hour), end).sum() / NANO)
    month_to_come = float(to_come[max(begin - since, 0) :].sum())
    of_day = slice(max(day_begin - since, 0), day_end - since)
    day_billed = float(replay.billed(since, end).sum(axis=0)[of_day].sum() / NANO)
    day_total = day_billed + float(to_come[of_day].sum())
    noise, day_noise = record.noise((end - as_of) / 24.0), record.day_noise(as_of - day_begin)
    deviations = {quantile: NormalDist().inv_cdf(quantile) for quantile in QUANTILES}
    return MonthForecast(
        calendar.month(as_of),
        round(billed * NANO),
        {
            quantile: billed + month_to_come + max(month_to_come, 0.0) * (exp(deviation * noise) - 1.0)
            for quantile, deviation in deviations.items()
        },
        {
            # What is billed already is not taken back, but by credits that are expected.
            quantile: max(day_total * (1.0 + deviation * day_noise), min(day_billed, day_total))
            for quantile, deviation in deviations.items()
        },
    )
