"""How early the warning comes. Named so that it is the last: what it waits for began with the first test."""

from test_states import EXHAUSTED, FILLING, FULL, NEARLY, state
from guarded import wait_for


def test_lead_of_the_warning(climb, record_property):
    climb.join(300)
    assert climb.error is None and climb.refused_at, climb.error
    wait_for(lambda: climb.receiver.told() == [(FILLING, "firing"), (NEARLY, "firing"), (FULL, "firing")])
    assert state(climb.daemon_run) == EXHAUSTED
    lead = {name: climb.refused_at - climb.receiver.when(name) for name in (FILLING, NEARLY)}
    record_property("first_refused_after_s", round(climb.refused_at - climb.began_at))
    record_property("warning_lead_s", round(lead[FILLING]))
    record_property("critical_lead_s", round(lead[NEARLY]))
    print(f"refused after {climb.refused_at - climb.began_at:.0f} s, warning {lead[FILLING]:.0f} s before, "
          f"critical {lead[NEARLY]:.0f} s before")
    assert lead[FILLING] >= 30
    assert 0 < lead[NEARLY] < lead[FILLING]
