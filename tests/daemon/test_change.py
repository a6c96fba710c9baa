"""What changes while the daemon runs: its file, the host's addresses and devices, time."""

import signal
import time

from guarded import SERVER, Daemon, run, wait_for

LIMITS = "interfaces: [guarded]\nlimits: {{slip: {slip}, mode: {mode}}}\n"
OFF, OBSERVE, ENFORCE = 0, 1, 2


def start(world, text):
    return Daemon(world, config=text).ready()


def reload(daemon, text, says):
    daemon.world.config(text)
    daemon.kill(signal.SIGHUP)
    daemon.log.until(says)
    assert "MONOTONIC_USEC=" in daemon.notify.until("RELOADING=1")
    daemon.notify.until("READY=1")


def test_reload_applies_and_returns_to_defaults(world):
    daemon = start(world, LIMITS.format(slip=7, mode="observe"))
    settings = world.settings()
    assert (settings["slip"], settings["limit_mode"]) == (7, OBSERVE)
    reload(daemon, LIMITS.format(slip=9, mode="off"), "configuration applied")
    settings = world.settings()
    assert (settings["slip"], settings["limit_mode"]) == (9, OFF)
    reload(daemon, "interfaces: [guarded]\n", "configuration applied")
    settings = world.settings()
    assert (settings["slip"], settings["limit_mode"]) == (2, ENFORCE)


def test_what_the_file_does_not_say_is_kept(world):
    daemon = start(world, "interfaces: [guarded]\n")
    world.cli("limit", "set", "--slip", "5")
    reload(daemon, "interfaces: [guarded]\nanswers: {negative-ttl: 33}\n", "configuration applied")
    settings = world.settings()
    assert (settings["slip"], settings["negative_ttl"]) == (5, 33)


def test_bad_file_changes_nothing_and_a_metric_says_so(world):
    daemon = start(world, LIMITS.format(slip=7, mode="observe"))
    before, link = world.settings(), world.link()
    assert daemon.samples()["dnsguard_config_last_reload_successful"] == 1
    reload(daemon, "limits:\n  slip: 3\n  slop: 3\n", r'refused, nothing changed: .*:3:3: unknown key "limits.slop"')
    assert world.settings() == before and world.link() == link
    assert daemon.samples()["dnsguard_config_last_reload_successful"] == 0
    reload(daemon, LIMITS.format(slip=3, mode="observe"), "configuration applied")
    assert daemon.samples()["dnsguard_config_last_reload_successful"] == 1
    assert world.settings()["slip"] == 3


def test_reload_with_a_missing_device_changes_nothing(world):
    daemon = start(world, LIMITS.format(slip=7, mode="observe"))
    reload(daemon, "interfaces: [guarded, nowhere]\nlimits: {slip: 3}\n", "refused, nothing changed: .*nowhere")
    assert world.settings()["slip"] == 7
    assert daemon.get("/healthz")[1] == "ok\n"


def test_reload_moves_the_listener_or_keeps_it(world):
    daemon = start(world, "interfaces: [guarded]\n")
    blocker = world.inside.socket(2, 1)
    blocker.bind(("127.0.0.1", 10600))
    blocker.listen()
    reload(daemon, "interfaces: [guarded]\nmetrics: {listen: '127.0.0.1:10600'}\n", "refused, nothing changed: .*10600")
    assert daemon.get("/healthz")[1] == "ok\n"
    blocker.close()
    reload(daemon, "interfaces: [guarded]\nmetrics: {listen: '127.0.0.1:10600'}\n", "configuration applied")
    daemon.port = 10600
    assert daemon.get("/healthz")[1] == "ok\n"


def test_reload_switches_observe(world):
    daemon = start(world, "interfaces: [guarded]\nmode: observe\n")
    link = world.link()
    reload(daemon, "interfaces: [guarded]\nmode: enforce\n", "configuration applied")
    assert daemon.samples()['dnsguard_enforcing{interface="guarded"}'] == 1
    assert world.link()[0] == link[0]


def test_device_taken_out_of_the_file_stays_guarded(world):
    """Detaching is for the operator: a slip in the file must not open the gate."""
    daemon = start(world, "interfaces: [guarded]\n")
    link = world.link()
    reload(daemon, "interfaces: []\n", "guarded: no longer in the configuration, stays attached")
    assert world.link() == link


def test_ports(world):
    daemon = start(world, "interfaces: [guarded]\nservice: {ports: [5353]}\n")
    world.query()
    wait_for(lambda: daemon.packets("pass_not_dns") >= 1)
    assert daemon.packets("pass_clean") == 0
    reload(daemon, "interfaces: [guarded]\nservice: {ports: [5353, 53]}\n", "configuration applied")
    world.query()
    wait_for(lambda: daemon.packets("pass_clean") == 1)


def reachable(world, address):
    """The peer sends to this address whether the guarded side has it or not."""
    world.outside.ip("neigh", "replace", address, "lladdr", world.mac(), "dev", "peer")
    return address


def test_address_added_later_becomes_guarded(world):
    daemon = start(world, "interfaces: [guarded]\n")
    later = reachable(world, "192.0.2.50")
    world.query(later)
    wait_for(lambda: daemon.packets("pass_not_service") == 1)
    world.inside.ip("addr", "add", f"{later}/32", "dev", "lo")
    wait_for(lambda: world.guards(later))
    world.query(later)
    wait_for(lambda: daemon.packets("pass_clean") == 1)
    world.inside.ip("addr", "del", f"{later}/32", "dev", "lo")
    wait_for(lambda: not world.guards(later))
    world.query(later)
    wait_for(lambda: daemon.packets("pass_not_service") == 2)


def test_configured_addresses_are_the_only_ones(world):
    later = reachable(world, "192.0.2.50")
    daemon = start(world, f"interfaces: [guarded]\nservice: {{addresses: [{later}]}}\n")
    world.query()
    wait_for(lambda: daemon.packets("pass_not_service") == 1)
    world.query(later)
    wait_for(lambda: daemon.packets("pass_clean") == 1)
    reload(daemon, "interfaces: [guarded]\n", "configuration applied")
    world.query()
    wait_for(lambda: daemon.packets("pass_clean") == 2)
    world.query(later)
    wait_for(lambda: daemon.packets("pass_not_service") == 2)


def test_device_that_comes_back_is_guarded_again(world):
    daemon = start(world, "interfaces: [guarded]\n")
    world.query()
    wait_for(lambda: daemon.packets("pass_clean") == 1)
    run("ip", "-n", world.inside.name, "link", "del", "guarded")
    daemon.log.until("guarded: device is gone")
    response, body = daemon.get("/healthz")
    assert (response.status, body) == (503, "guarded is not guarded\n")
    world.make_device()
    daemon.log.until("guarded: attached")
    assert daemon.get("/healthz")[1] == "ok\n"
    wait_for(lambda: world.guards(SERVER))  # it may have attached before the device had its address
    world.query()
    wait_for(lambda: daemon.packets("pass_clean") >= 1)


def test_detached_by_hand_stays_detached(world):
    """News of devices must not undo what the operator did."""
    daemon = start(world, "interfaces: [guarded]\n")
    world.cli("detach", "guarded")
    world.inside.ip("link", "set", "guarded", "down")
    world.inside.ip("link", "set", "guarded", "up")
    world.inside.ip("addr", "add", "192.0.2.60/32", "dev", "lo")
    wait_for(lambda: world.guards("192.0.2.60"))
    daemon.get("/")  # it has one loop: when it answers this, it is done with the news
    assert not (world.bpffs / "dnsguard" / "links" / "guarded").exists()
    reload(daemon, "interfaces: [guarded]\n", "configuration applied")  # but this asks for it
    assert (world.bpffs / "dnsguard" / "links" / "guarded").exists()


def test_new_mac_is_taken_over(world):
    start(world, "interfaces: [guarded]\n")
    world.inside.ip("link", "set", "guarded", "address", "02:00:00:00:12:34")
    wait_for(lambda: world.iface()["mac"][0][:6] == [2, 0, 0, 0, 0x12, 0x34])


def test_expired_entries_are_tidied(world):
    daemon = start(world, "interfaces: [guarded]\n")
    world.cli("block", "for.a.moment.example", "for.good.example")
    assert world.settings()["own_entries"] == 2
    world.cli("block", "for.a.moment.example", "--for", "1s")
    end = time.monotonic() + 1.1
    wait_for(lambda: time.monotonic() > end)
    daemon.kill(signal.SIGHUP)  # tidies at once
    daemon.log.until("1 expired entry")
    assert world.settings()["own_entries"] == 1
    assert daemon.samples()['dnsguard_names{origin="operator"}'] == 1


def test_client_prefixes(world):
    daemon = start(world, "interfaces: [guarded]\nclients: [198.51.100.0/24]\n")
    world.cli("block", "www.example")
    world.query()
    wait_for(lambda: daemon.packets("pass_not_client") == 1)
    reload(daemon, "interfaces: [guarded]\nclients: [198.51.100.0/24, 192.0.2.0/24]\n", "configuration applied")
    world.query()
    wait_for(lambda: daemon.packets("reply_sinkhole") == 1)
    reload(daemon, "interfaces: [guarded]\nclients: [198.51.100.0/24]\n", "configuration applied")
    world.query()
    wait_for(lambda: daemon.packets("pass_not_client") == 2)
    reload(daemon, "interfaces: [guarded]\n", "configuration applied")
    world.query()
    wait_for(lambda: daemon.packets("reply_sinkhole") == 2)
