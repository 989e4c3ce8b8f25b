"""The numbers of the note quota, and the bucket of control messages."""

from rhythm_protocol.messages import QuotaState
from rhythmd.hub.rooms.quota import NoteQuota, TokenBucket


def test_fresh_quota_pays_for_its_maximum() -> None:
    quota = NoteQuota(200, 600, 0)
    assert quota.state() == QuotaState(points=600, allowance=200, maximum=600)
    assert quota.spend(700, 0) == 600
    assert quota.spend(1, 0) == 0


def test_refill_adds_the_allowance() -> None:
    quota = NoteQuota(200, 600, 0)
    quota.spend(600, 0)
    assert quota.spend(500, 1) == 200


def test_refills_add_up_to_the_maximum_only() -> None:
    quota = NoteQuota(200, 600, 0)
    quota.spend(600, 0)
    assert quota.spend(5_000, 50) == 600


def test_refills_of_quiet_periods_are_counted() -> None:
    quota = NoteQuota(100, 1_000, 0)
    quota.spend(1_000, 0)
    assert quota.spend(5_000, 4) == 400


def test_three_empty_refills_make_a_note_cost_the_allowance() -> None:
    quota = NoteQuota(200, 600, 0)
    paid = [quota.spend(1_000, period) for period in range(6)]
    # After the third refill that found nothing left, 200 points buy one note.
    assert paid == [600, 200, 200, 1, 1, 1]


def test_two_empty_refills_cost_nothing_extra() -> None:
    quota = NoteQuota(200, 600, 0)
    for period in (0, 1):
        quota.spend(1_000, period)
    quota.spend(199, 2)
    assert quota.spend(1_000, 3) == 201


def test_one_quiet_period_ends_the_price() -> None:
    quota = NoteQuota(200, 600, 0)
    for period in range(4):
        quota.spend(1_000, period)
    assert quota.spend(0, 4) == 0
    assert quota.spend(1_000, 5) == 400


def test_steady_playing_under_the_allowance_is_never_cut() -> None:
    quota = NoteQuota(200, 600, 0)
    assert all(quota.spend(200, period) == 200 for period in range(100))


def test_set_rates_of_a_full_quota_fills_it_to_the_new_maximum() -> None:
    quota = NoteQuota(400, 1_200, 0)
    quota.set_rates(600, 1_800)
    assert quota.state() == QuotaState(points=1_800, allowance=600, maximum=1_800)


def test_set_rates_keeps_what_was_spent() -> None:
    quota = NoteQuota(400, 1_200, 0)
    quota.spend(1_000, 0)
    quota.set_rates(600, 1_800)
    assert quota.state().points == 200


def test_set_rates_cuts_to_the_new_maximum() -> None:
    quota = NoteQuota(600, 1_800, 0)
    quota.spend(1, 0)
    quota.set_rates(200, 600)
    assert quota.state() == QuotaState(points=600, allowance=200, maximum=600)


def test_set_rates_while_flooding_charges_the_new_allowance() -> None:
    quota = NoteQuota(600, 1_800, 0)
    for period in range(3):
        quota.spend(5_000, period)
    quota.spend(0, 3)
    quota.set_rates(200, 600)
    assert quota.spend(1_000, 3) == 3


def test_bucket_gives_its_burst_at_once() -> None:
    bucket = TokenBucket(10.0, 3, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]


def test_bucket_refills_at_its_rate() -> None:
    bucket = TokenBucket(10.0, 3, 0.0)
    for _ in range(3):
        bucket.take(0.0)
    assert not bucket.take(0.05)
    assert bucket.take(0.25)


def test_bucket_saves_no_more_than_its_burst() -> None:
    bucket = TokenBucket(10.0, 3, 0.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]


def test_bucket_is_exhausted_after_another_burst() -> None:
    bucket = TokenBucket(10.0, 3, 0.0)
    seen = []
    for _ in range(6):
        bucket.take(0.0)
        seen.append(bucket.exhausted)
    assert seen == [False] * 5 + [True]
