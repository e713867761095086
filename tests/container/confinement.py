"""Run inside the container: the server is nobody in particular, cannot gain rights and cannot change its image."""

import os
from pathlib import Path

status = dict(line.split(":\t", 1) for line in Path("/proc/1/status").read_text().splitlines() if ":\t" in line)
uids = set(status["Uid"].split())
assert "0" not in uids, f"process 1 runs as uid {uids}, expected none to be 0"
assert int(status["CapEff"], 16) == 0, f"process 1 has capabilities {status['CapEff']}, expected none"
assert status["NoNewPrivs"] == "1", f"no_new_privs is {status['NoNewPrivs']}, expected 1"
for folder in ("/", "/models"):
    assert os.statvfs(folder).f_flag & os.ST_RDONLY, f"{folder} is writable, expected a read-only mount"
for folder in ("/tmp", "/var/lib/equiserve"):
    Path(folder, "written").write_text("a server may write here")
assert not any(Path("/opt/equiserve").glob("lib/python3*/site-packages/torch")), "torch is in the CPU image"
print(f"confinement: uid {min(uids)}, no capabilities, no new privileges, read-only root and models, no torch")
