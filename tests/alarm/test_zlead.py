"""How early the warning comes, and when it ends. Named so that it is the last: what it waits for began with the first test."""

import time

from callers import hang_up
from guarded import wait_for
from test_states import EXHAUSTED, FILLING, FULL, NEARLY, OK, state

CLEAR = 60  # seconds below the thresholds, as the rules come
LATE = 15


def test_lead_of_the_warning(climb, record_property):
    climb.climbed.wait(300)
    assert climb.error is None and climb.refused_at, climb.error
    rise = [(FILLING, "firing"), (NEARLY, "firing"), (FULL, "firing")]
    wait_for(lambda: climb.receiver.told() == rise)
    assert state(climb.daemon_run) == EXHAUSTED
    lead = {name: climb.refused_at - climb.receiver.when(name) for name in (FILLING, NEARLY)}
    record_property("first_refused_after_s", round(climb.refused_at - climb.began_at))
    record_property("warning_lead_s", round(lead[FILLING]))
    record_property("critical_lead_s", round(lead[NEARLY]))
    print(f"refused after {climb.refused_at - climb.began_at:.0f} s, warning {lead[FILLING]:.0f} s before, "
          f"critical {lead[NEARLY]:.0f} s before")
    assert lead[FILLING] >= 30
    assert 0 < lead[NEARLY] < lead[FILLING]
    climb.release()
    assert climb.error is None, climb.error
    gone_at = time.monotonic()
    hang_up(climb.room.sockets)
    fall = [(FULL, "resolved"), (NEARLY, "resolved"), (FILLING, "resolved")]
    wait_for(lambda: len(climb.receiver.told()) >= len(rise + fall))
    assert climb.receiver.told() == rise + fall and state(climb.daemon_run) == OK
    after = [climb.receiver.when(name, "resolved") - gone_at for name, _ in fall]
    print(f"resolved {', '.join(f'{at:.0f}' for at in after)} s after all had gone")
    assert after == sorted(after) and CLEAR <= after[0] and after[-1] < CLEAR + LATE
