"""A real SLURM on one machine, as root: a controller and nodes, each in namespaces of its own.

python -m tests.slurm.lab up|down|crash nodeI|boot nodeI|cut nodeI|heal nodeI keeps one for use by hand.

A node has its own network (one cable to a bridge), host name, /etc/hosts, process ids and mounts; disks are shared, as
on a cluster. GPUs are device files that only SLURM believes in. Nothing is written outside the lab's folder.
"""

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path("/tmp/slowfast-slurm-lab")
COMMANDS = ("slurmctld", "slurmd", "sbatch", "munged", "ip", "nsenter", "unshare", "mknod")
NETWORK = "10.78.91"
BRIDGE = "sfbr"
CONTROLLER_PORT = 16817  # not SLURM's own: another one may run on this machine
UP_SEC, DOWN_SEC = 30, 20

# The waits of a cluster made short: cred_expire is how long a requeued job waits, SlurmdTimeout how long a lost node is
# waited for, KillWait what TERM leaves until KILL.
CONFIGURATION = """\
ClusterName=lab
SlurmctldHost={host}({network}.1)
SlurmctldPort={port}
SlurmUser=root
AuthInfo=socket={folder}/munge.sock,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
EnforcePartLimits=ALL
ReturnToService=2
SlurmdTimeout=6
KillWait=10
MinJobAge=3600
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
NodeName=node[0-{last}] NodeAddr={network}.[10-{last_address}] CPUs=16 RealMemory=4000 Gres=gpu:{gpus}
PartitionName=debug Nodes=ALL Default=YES MaxTime=60 PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=ALL MaxTime=60 PriorityTier=10 PreemptMode=OFF
"""


def why_impossible():
    """Why there can be no lab here; None: there can."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "needs root on Linux"
    missing = [command for command in COMMANDS if shutil.which(command) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (tests/slurm/install.sh installs them on Debian)"
    probe = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True)
    if probe.returncode:
        return f"no namespaces can be made here: {probe.stderr.strip()}"
    return None


class Lab:
    """The controller and `nodes` nodes with `gpus` device files each; see the module."""

    def __init__(self, folder=FOLDER, nodes=2, gpus=2):
        self.folder = Path(folder)
        self.names = [f"node{number}" for number in range(nodes)]
        self.gpus = gpus
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def up(self):
        """Start all; what an earlier lab left is removed. Raises: RuntimeError: another one is in use, or it fails."""
        self.folder.mkdir(exist_ok=True)
        self.lock = open(self.folder.with_suffix(".lock"), "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"another lab is in use in {self.folder}") from None
        self.down()
        self._write_files()
        munge = self.folder / "munge"
        files = {"key-file": munge / "key", "socket": self.folder / "munge.sock", "pid-file": self.folder / "munge.pid"}
        files |= {"log-file": munge / "log", "seed-file": munge / "seed"}
        _run("munged", *(f"--{name}={path}" for name, path in files.items()))
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
        _run("ip", "addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
        _run("slurmctld", "-c", env=self.environment)
        for number, name in enumerate(self.names):
            self._connect(number, name)
            self.boot(name)
        self.wait_idle()

    def down(self):
        """End all and remove the network; harmless where there is nothing."""
        for name in self.names:
            self.crash(name)
            subprocess.run(["ip", "netns", "del", _space(name)], capture_output=True)
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True)
        for name in ("slurmctld", "munge"):
            _end(self.folder / f"{name}.pid")
        shutil.rmtree(self.folder, ignore_errors=True)

    def boot(self, name):
        """Start a node: its first process is a shell, so that orphans are waited for."""
        self.start(name, "slurmd -D; :", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self, name, script, **how):
        """Popen of a shell script on a node, in fresh namespaces but for the network."""
        inside = f"hostname {name}; mount --bind {self.folder}/hosts /etc/hosts; {script}"
        spaces = ["unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", inside]
        how = {"env": os.environ | self.environment} | how
        return subprocess.Popen(["nsenter", f"--net=/run/netns/{_space(name)}", *spaces], **how)

    def crash(self, name):
        """Every process of a node is gone at once."""
        found = subprocess.run(["ip", "netns", "pids", _space(name)], capture_output=True, text=True)
        for pid in found.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def cut(self, name):
        """Pull a node's network cable."""
        _run("ip", "link", "set", _cable(name), "down")

    def heal(self, name):
        """Plug it in again."""
        _run("ip", "link", "set", _cable(name), "up")

    def ask(self, *command):
        """What one of SLURM's commands prints."""
        return _run(*command, env=self.environment)

    def wait_idle(self, seconds=UP_SEC):
        """Until all nodes are idle. Raises: RuntimeError with the daemons' last words."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            states = subprocess.run(
                ["sinfo", "--noheader", "--Node", "--partition=debug", "--format=%t"],
                env=os.environ | self.environment,
                capture_output=True,
                text=True,
            )
            if states.stdout.split() == ["idle"] * len(self.names):
                return
            time.sleep(0.1)
        logs = "\n".join(path.read_text()[-2000:] for path in sorted((self.folder / "log").glob("*.log")))
        raise RuntimeError(f"the nodes are not idle after {seconds} s: {states.stdout}{states.stderr}\n{logs}")

    def _write_files(self):
        for name in ("state", "log", "munge", *(f"spool.{node}" for node in self.names)):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        (self.folder / "munge").chmod(0o700)
        key = self.folder / "munge/key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        host = os.uname().nodename.split(".")[0]
        addresses = [f"{NETWORK}.{10 + number} {name}" for number, name in enumerate(self.names)]
        lines = ["127.0.0.1 localhost", f"{NETWORK}.1 {host}", *addresses]
        (self.folder / "hosts").write_text("\n".join(lines) + "\n")
        for number in range(self.gpus):
            _run("mknod", str(self.folder / f"gpu{number}"), "c", "1", "3")
        last = len(self.names) - 1
        devices = f"File={self.folder}/gpu[0-{self.gpus - 1}]"
        (self.folder / "gres.conf").write_text(f"NodeName=node[0-{last}] Name=gpu {devices}\n")
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # else slurmd looks for mounts
        values = {"host": host, "network": NETWORK, "port": CONTROLLER_PORT, "folder": self.folder, "gpus": self.gpus}
        values |= {"last": last, "last_address": 10 + last}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(**values))

    def _connect(self, number, name):
        """Its network and the cable to the bridge; without a default route a search for names fails at once."""
        space = _space(name)
        _run("ip", "netns", "add", space)
        _run("ip", "link", "add", _cable(name), "type", "veth", "peer", "name", "eth0", "netns", space)
        _run("ip", "link", "set", _cable(name), "master", BRIDGE, "up")
        _run("ip", "-n", space, "addr", "add", f"{NETWORK}.{10 + number}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            _run("ip", "-n", space, "link", "set", link, "up")


def _space(name):
    return f"slowfast-{name}"


def _cable(name):
    return f"sf-{name}"


def _run(*command, env=None):
    done = subprocess.run(command, env=os.environ | (env or {}), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def _end(pid_file):
    """End a daemon and wait for it: its pid file is gone before the daemon is."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return
    end = time.monotonic() + DOWN_SEC
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < end:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("up", "down", "crash", "boot", "cut", "heal"))
    parser.add_argument("node", nargs="?")
    args = parser.parse_args()
    if (reason := why_impossible()) is not None:
        sys.exit(f"no lab here: {reason}")
    lab = Lab()
    if args.node is None:
        getattr(lab, args.what)()
    else:
        getattr(lab, args.what)(args.node)
    if args.what == "up":
        print(f"export SLURM_CONF={lab.environment['SLURM_CONF']}\n{lab.ask('sinfo')}", end="")


if __name__ == "__main__":
    main()
