"""Labelled log messages made up in the manner of the sixteen LogHub systems, for where the real sets are not at hand.

A line of a style is a statement; `{kind}` is drawn anew for each message and is the variable. Statements are drawn by Zipf's law in the
order of their lines. These are not LogHub's messages: numbers measured on them say how the miner stands beside another one on the
same messages, not what it scores on LogHub.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Final

R = random.Random
_USERS = [
    "root",
    "admin",
    "test",
    "guest",
    "oracle",
    "nagios",
    "ftp",
    "webmaster",
    "alice",
    "bob",
    "carol",
    "uucp",
    "support",
    "pi",
    "git",
    "news",
]
_HOSTS = [
    "n1.rack.example.com",
    "gw-7.lab.example.org",
    "mail.example.net",
    "cache.cdn.example.com",
    "a12-33.pool.example.net",
    "x7f3.cust.example.org",
]
_CLASSES = [
    "job.EventHandler",
    "job.Impl",
    "task.Cleaner",
    "rm.Allocator",
    "launch.Launcher",
    "speculate.Speculator",
    "commit.Committer",
    "app.Client",
]
_PACKAGES = ["com.acme.ui", "com.acme.phone", "org.chat.app", "com.shop.pay", "net.maps.core", "com.acme.mail"]
_DIRS = ["data", "tmp", "usr", "home", "job", "cache", "part", "log", "user", "store"]


def _path(r: R) -> str:
    return (
        "/"
        + "/".join(r.choice(_DIRS) for _ in range(r.randint(1, 4)))
        + r.choice(["", f"/f{r.randint(0, 99)}.dat", "/x.jar"])
    )


def _ip(r: R) -> str:
    return ".".join(str(r.randint(1, 254)) for _ in range(4))


def _hex(r: R, digits: int) -> str:
    return f"{r.getrandbits(4 * digits):0{digits}x}"


def _size(r: R) -> str:
    count = r.choice([0, r.randint(1, 1023), r.randint(1024, 900_000)])
    return f"{count} bytes ({count / 1024:.3g} KB)" if count >= 1024 else f"{count} bytes"


def _job(r: R) -> str:
    return f"14450874{r.randint(10000, 99999)}_00{r.randint(10, 20)}"


KINDS: Final[dict[str, Callable[[R], str]]] = {
    "n": lambda r: str(r.choice([r.randint(0, 9), r.randint(10, 999), r.randint(1000, 9_999_999)])),
    "f": lambda r: f"{r.random() * 200:.{r.randint(1, 4)}f}",
    "ip": _ip,
    "addr": lambda r: f"{_ip(r)}:{r.randint(1024, 65535)}",
    "addrs": lambda r: " ".join(f"{_ip(r)}:{r.randint(1024, 65535)}" for _ in range(r.choice([1, 1, 1, 2, 3]))),
    "hex": lambda r: "0x" + _hex(r, r.choice([2, 8, 16])),
    "hex8": lambda r: _hex(r, 8),
    "uuid": lambda r: "-".join(_hex(r, k) for k in (8, 4, 4, 4, 12)),
    "path": _path,
    "host": lambda r: r.choice(_HOSTS),
    "user": lambda r: r.choice(_USERS),
    "class": lambda r: "org.example.mr." + r.choice(_CLASSES),
    "package": lambda r: r.choice(_PACKAGES),
    "size": _size,
    "block": lambda r: f"blk_{r.choice(['-', ''])}{r.randint(10**17, 10**19)}",
    "job": lambda r: f"job_{_job(r)}",
    "attempt": lambda r: f"attempt_{_job(r)}_{r.choice('mr')}_0000{r.randint(10, 99)}_{r.randint(0, 3)}",
    "task": lambda r: f"task_{_job(r)}_{r.choice('mr')}_0000{r.randint(10, 99)}",
    "container": lambda r: f"container_{_job(r)}_01_0000{r.randint(10, 99)}",
    "rdd": lambda r: r.choice([f"rdd_{r.randint(0, 50)}_{r.randint(0, 50)}", f"broadcast_{r.randint(0, 30)}", f"broadcast_{r.randint(0, 30)}_piece0"]),
    "memory": lambda r: f"{r.random() * 900:.1f} {r.choice(['B', 'KB', 'MB'])}",
    "node": lambda r: f"node-{r.randint(0, 255)}",
    "domain": lambda r: r.choice([f"storage{r.randint(1, 900)}", f"root{r.randint(1, 20)}_tmp", f"full_{r.randint(1, 9)}"]),
    "date": lambda r: f"{r.choice(['Fri Jun', 'Sat Jul', 'Mon Aug'])} {r.randint(10, 28)} {r.randint(10, 23)}:{r.randint(10, 59)}:{r.randint(10, 59)} 2005",
    "lasting": lambda r: r.choice(["<1 sec", f"00:{r.randint(10, 59)}", f"{r.randint(10, 59)}:{r.randint(10, 59)}"]),
    "mac": lambda r: ":".join(_hex(r, 2) for _ in range(6)),
    "state": lambda r: r.choice(["null", f"WorkSource{{{r.randint(1000, 9999)}}}"]),
    "tag": lambda r: r.choice(['"View Lock"', '"*launch*"', '"WakeLocks"', '"RILJ"']),
    "hashes": lambda r: "##".join(str(r.randint(100, 99_999_999)) for _ in range(6)),
    "irqs": lambda r: " ".join(str(k) for k in sorted(r.sample(range(3, 16), r.randint(7, 9)))),
    "hive": lambda r: r.choice(["software", "system", "sam", "security", "components", "default", "ntuser.dat"]),
    "maybe_host": lambda r: r.choice(["", r.choice(_HOSTS)]),
    "kb": lambda r: f"Package_for_KB{r.randint(10**6, 10**7)}~31bf3856ad364e35~amd64~~6.1.{r.randint(1, 3)}.{r.randint(0, 9)}",
    "component": lambda r: r.choice(['\\042alt0\\042', f"\\042SCSI-WWID:{_hex(r, 8)}:{_hex(r, 4)}-{_hex(r, 4)}\\042"]),
}  # fmt: skip

STYLES: Final[dict[str, str]] = {
    "hdfs": """
BLOCK* NameSystem.addStoredBlock: blockMap updated: {addr} is added to {block} size {n}
PacketResponder {n} for block {block} terminating
Received block {block} of size {n} from /{ip}
Receiving block {block} src: /{addr} dest: /{addr}
BLOCK* NameSystem.allocateBlock: {path} {block}
BLOCK* NameSystem.delete: {block} is added to invalidSet of {addr}
Deleting block {block} file {path}
Verification succeeded for {block}
{addr} Served block {block} to /{ip}
{addr}:Got exception while serving {block} to /{ip}:
BLOCK* ask {addr} to replicate {block} to datanode(s) {addrs}
BLOCK* ask {addr} to delete  {block}
{addr} Starting thread to transfer block {block} to {addrs}
Received block {block} src: /{addr} dest: /{addr} of size {n}""",
    "hadoop": """
Address change detected. Old: {host}/{addr} New: {host}:{n}
Failed to renew lease for [DFSClient_NONMAPREDUCE_{n}_{n}] for {n} seconds.  Will retry shortly ...
Retrying connect to server: {host}:{n}. Already tried {n} time(s); retry policy is Fixed(maxRetries={n}, sleepTime={n} MILLISECONDS)
Progress of TaskAttempt {attempt} is : {f}
ERROR IN CONTACTING RM.
{attempt} TaskAttempt Transitioned from NEW to UNASSIGNED
{attempt} TaskAttempt Transitioned from UNASSIGNED to ASSIGNED
{attempt} TaskAttempt Transitioned from ASSIGNED to RUNNING
{attempt} TaskAttempt Transitioned from RUNNING to SUCCESS_CONTAINER_CLEANUP
{task} Task Transitioned from NEW to SCHEDULED
{task} Task Transitioned from SCHEDULED to RUNNING
Resolved {host} to /default-rack
Recalculating schedule, headroom=<memory:{n}, vCores:{n}>
JVM with ID: jvm_{n} given task: {attempt}
JVM with ID : jvm_{n} asked for a task
Assigned container {container} to {attempt}
Registering class {class} for class {class}
Task succeeded with attempt {attempt}
Launching {attempt}
KILLING {attempt}
Num completed Tasks: {n}
Auth successful for {job} (auth:SIMPLE)
Added global filter 'safety' (class=org.example.http.QuotingFilter)
Not uberizing {job} because: not enabled; too many maps; too much input;""",
    "spark": """
Found block {rdd} locally
Block {rdd} stored as values in memory (estimated size {memory}, free {memory})
Block {rdd} stored as bytes in memory (estimated size {memory}, free {memory})
Started reading broadcast variable {n}
Reading broadcast variable {n} took {n} ms
Running task {f} in stage {f} (TID {n})
Finished task {f} in stage {f} (TID {n}). {n} bytes result sent to driver
Got assigned task {n}
Times: total = {n}, boot = {n}, init = {n}, finish = {n}
Input split: hdfs://{addr}{path}:{n}+{n}
Partition {rdd} not found, computing it
Saved output of task '{attempt}' to hdfs://{addr}{path}
{attempt}: Committed
mapred.tip.id is deprecated. Instead, use mapreduce.task.id
mapred.task.id is deprecated. Instead, use mapreduce.task.attempt.id
mapred.job.id is deprecated. Instead, use mapreduce.job.id
Changing view acls to: {user}
Changing modify acls to: {user}""",
    "zookeeper": """
Received connection request /{addr}
Accepted socket connection from /{addr}
Closed socket connection for client /{addr} which had sessionid {hex}
Closed socket connection for client /{addr} (no session established for client)
Client attempting to establish new session at /{addr}
Established session {hex} with negotiated timeout {n} for client /{addr}
Expiring session {hex}, timeout of {n}ms exceeded
Processed session termination for sessionid: {hex}
Notification time out: {n}
Notification: {n} (n.leader), {hex} (n.zxid), {n} (n.round), LOOKING (n.state), {n} (n.sid), {hex} (n.peerEPoch), LOOKING (my state)
Notification: {n} (n.leader), {hex} (n.zxid), {n} (n.round), LOOKING (n.state), {n} (n.sid), {hex} (n.peerEPoch), FOLLOWING (my state)
Notification: {n} (n.leader), {hex} (n.zxid), {n} (n.round), FOLLOWING (n.state), {n} (n.sid), {hex} (n.peerEPoch), LOOKING (my state)
Cannot open channel to {n} at election address /{addr}
Connection broken for id {n}, my id = {n}, error =
Interrupting SendWorker
Send worker leaving thread
Interrupted while waiting for message on queue
caught end of stream exception
tickTime set to {n}
minSessionTimeout set to {n}
maxSessionTimeout set to {n}
******* GOODBYE /{addr} ********
LOOKING
FOLLOWING""",
    "bgl": """
generating core.{n}
instruction cache parity error corrected
{n} double-hummer alignment exceptions
{n} floating point alignment exceptions
iar {hex8} dear {hex8}
data TLB error interrupt
CE sym {n}, at {hex}, mask {hex}
ciod: LOGIN chdir({path}) failed: No such file or directory
ciod: LOGIN chdir({path}) failed: Input/output error
ciod: Error loading {path}: invalid or missing program image, Exec format error
ciod: Error loading {path}: invalid or missing program image, Permission denied
ciod: failed to read message prefix on control stream (CioStream socket to {addr}
total of {n} ddr error(s) detected and corrected
{n} ddr errors(s) detected and corrected on rank {n}, symbol {n}, bit {n}
{n} torus receiver x+ input pipe error(s) (dcr {hex}) detected and corrected
{n} torus receiver y+ input pipe error(s) (dcr {hex}) detected and corrected
{n} torus receiver z- input pipe error(s) (dcr {hex}) detected and corrected
program interrupt: fp cr field .............{n}
program interrupt: trap instruction.........{n}
rts: kernel terminated for reason {n}
rts panic! - stopping execution
shutdown complete
critical input interrupt (unit={hex} bit={hex}): warning for torus y+ wire
lr:{hex8} cr:{hex8} xer:{hex8} ctr:{hex8}""",
    "hpc": """
boot  (command {n})
wait  (command {n})
halt  (command {n})
risBoot  (command {n})
bootGenvmunix  (command {n})
clusterAddMember  (command {n})
Component State Change: Component {component} is in the unavailable state (HWID={n})
Command has completed successfully
Command has been aborted
Link error on broadcast tree Interconnect-{n}T{n}:{n}:{n}:{n}
NIFF: node {node} detected a failed network connection on network {ip} via interface alt0
NIFF: node {node} has detected an available network connection on network {ip} via interface alt0
NIFF: node {node} has detected an available network connection on network {ip} via interface ee0
NIFF: node {node} has detected an available network connection on network {ip} via interface scip0
ServerFileSystem: ServerFileSystem domain {domain} is full
ClusterFileSystem: There is no server for ServerFileSystem domain {domain}
Temperature ({n}C) exceeds warning threshold
Fan speeds ( {n} {n} {n} {n} {n} {n} )
ambient={n}
psu failure\\ ambient={n}
running
starting
normal
warning
not responding
Link ok
Link error
Link in reset""",
    "thunderbird": """
session opened for user root by (uid=0)
session closed for user root
(root) CMD (run-parts /etc/cron.hourly)
data_thread() got not answer from any [Thunderbird_A{n}] datasource
RRD_update ({path}): illegal attempt to update using time {n} when last update time is {n} (minimum one second step)
DHCPDISCOVER from {mac} via eth1
DHCPDISCOVER from {mac} via eth1: network A_net: no free leases
DHCPREQUEST for {ip} ({ip}) from {mac} via eth1
DHCPACK on {ip} to {mac} via eth1
DHCPOFFER on {ip} to {mac} via eth1
[ib_sm_sweep.c:1455]: No topology change
[ib_sm_sweep.c:1482]: No configuration change required
{hex8}: from=root, size={n}, class={n}, nrcpts={n}, msgid=<{n}.{hex8}@{host}>, relay=root@localhost
synchronized to {ip}, stratum {n}
PCI Interrupt Link [LNK{n}] (IRQs {irqs}) *{n}
connection from "{ip}"
Received SNMP packet(s) from {ip}
portmap startup succeeded
xinetd startup succeeded
syslog-ng startup succeeded
registered new driver hub
registered new driver usbfs
Probing PCI hardware (bus {n})
Using configuration type {n}""",
    "windows": """
Warning: Unrecognized packageExtended attribute.
Expecting attribute name [HRESULT = {hex} - CBS_E_MANIFEST_INVALID_ITEM]
Failed to get next element [HRESULT = {hex} - CBS_E_MANIFEST_INVALID_ITEM]
Failed to internally open package. [HRESULT = {hex} - CBS_E_INVALID_PACKAGE]
Session: {n}_{n} initialized by client WindowsUpdateAgent.
Session: {n}_{n} initialized by client SPP.
Read out cached package applicability for package: {kb}, ApplicableState: {n}, CurrentState:{n}
Loading offline registry hive: {hive}, into registry key '{{uuid}}/{hive}' from path '\\\\?\\GLOBAL\\{hive}'.
Unloading offline registry hive: '{{uuid}}/{hive}'
SQM: Initializing online with Windows opt-in: False
SQM: Cleaning up report files older than {n} days.
SQM: Requesting upload of all unsent reports.
SQM: Failed to start upload with file pattern: {path}, flags: {hex} [HRESULT = {hex} - E_FAIL]
SQM: Failed to start standard sample upload. [HRESULT = {hex} - E_FAIL]
SQM: Queued {n} file(s) for upload with pattern: {path}, flags: {hex}
{hex8}@2016/9/28:04:{n}:{f} PopulateComponentFamiliesKey - Begin
{hex8}@2016/9/28:04:{n}:{f} PopulateComponentFamiliesKey - End
{hex8} Created NT transaction (seq {n}) result {hex}, handle @{hex}
{hex8} Performing {n} operations; {n} are not lock/unlock and follow:
Starting TrustedInstaller initialization.
Starting TrustedInstaller finalization.
Starting the TrustedInstaller main loop.
Ending TrustedInstaller initialization.
Ending TrustedInstaller finalization.
Scavenge: Starts
Scavenge: Begin CSI Store
Reboot mark refs: {n}
Reboot mark refs incremented to: {n}""",
    "linux": """
authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost={host}
authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost={host}  user=root
check pass; user unknown
connection from {ip} ({maybe_host}) at {date}
session opened for user {user} by (uid={n})
session closed for user {user}
session opened for user {user} by LOGIN(uid={n})
ALERT exited abnormally with [1]
authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost={host}  user=guest
getpeername (ftpd): Transport endpoint is not connected
Kerberos authentication failed
ANONYMOUS FTP LOGIN FROM {ip},  (anonymous)
Authentication failed from {host} ({ip}): Permission denied in replay cache code
Authentication failed from {host} ({ip}): Software caused connection abort
creating device node '/udev/vcs{n}'
removing device node '/udev/vcs{n}'
syslogd startup succeeded
klogd startup succeeded
cupsd startup succeeded
cupsd shutdown succeeded
hcid startup succeeded
rpc.statd startup succeeded
User unknown timed out after {n} seconds at {date}
BIOS-e820: {hex} - {hex} (usable)
BIOS-e820: {hex} - {hex} (reserved)
Dentry cache hash table entries: {n} (order: {n}, {n} bytes)
Inode-cache hash table entries: {n} (order: {n}, {n} bytes)
{n}MB HIGHMEM available.
{n}MB LOWMEM available.
DMA zone: {n} pages, LIFO batch:{n}
Normal zone: {n} pages, LIFO batch:{n}
NET: Registered protocol family {n}""",
    "android": """
acquire lock={n}, flags={hex}, tag={tag}, name={package}, ws={state}, uid={n}, pid={n}
release:lock={n}, flg={hex}, tag={tag}, name={package}, ws={state}, uid={n}, pid={n}
visible is system.time.showampm
setSystemUiVisibility vis={hex} mask={hex} oldVal={hex} newVal={hex} diff={hex} fullscreenStackBounds=Rect({n}, {n} - {n}, {n})
ready=true,policy={n},wakefulness={n},wksummary={hex},uasummary={hex},bootcompleted=true,manual={n},auto={n},adj={f}userId={n}
animateCollapsePanels:flags={n}, force=false, delayed=false, mExpandedVisible=false
animateCollapsePanels:flags={n}, force=false, delayed=false, mExpandedVisible=true
animateCollapsePanels:flags={n}, force=true, delayed=true, mExpandedVisible=true
getRunningAppProcesses: caller {n} does not hold REAL_GET_TASKS; limiting output
getTasks: caller {n} does not hold REAL_GET_TASKS; limiting output
HBM brightnessIn ={n}
HBM brightnessOut ={n}
updateClipping isOverlap:false, getTopPadding={f}, Translation={f}
updateClipping isOverlap:true, getTopPadding={f}, Translation={f}
cancelNotification,index:{n}
Skipping, withExcluded: false, tr.intent:Intent {{ flg={hex} cmp={package}/.Main (has extras) }}
Acquiring suspend blocker "PowerManagerService.WakeLocks".
Releasing suspend blocker "PowerManagerService.WakeLocks".
getMode...
getRingerMode...
startAnimation begin
startAnimation end
onTouchEvent::{n}, x={f}, y={f}
Process {package}:qzone (pid {n}) has died""",
    "healthapp": """
calculateCaloriesWithCache totalCalories={n}
calculateAltitudeWithCache totalAltitude={n}
onStandStepChanged {n}
onExtend:{n} {n} {n} {n}
getTodayTotalDetailSteps = {hashes}
setTodayTotalDetailSteps={hashes}
REPORT : {n} {n} {n} {n}
processHandleBroadcastAction action:android.intent.action.TIME_TICK
processHandleBroadcastAction action:android.intent.action.SCREEN_ON
onReceive action: android.intent.action.SCREEN_ON
onReceive action: android.intent.action.SCREEN_OFF
flush sensor data
isScreenOn true
screen status unknown,think screen on
upLoadOneMinuteDataToEngine time={n},{n},{n},{n},{n}
saveHealthDetailData() deviceID = {n},clientID={n},id={n}
bulkSaveDetailHiHealthData() size = {n},totalTime = {n}
InsertEvent success begin:{n} end:{n}
checkInsertStatus stepSum or calorieSum is enough
checkInsertStatus stepStatSum or calorieStatSum is enough
initUserPrivacy the userPrivacy is true
initDataPrivacy the dataPrivacy is true""",
    "apache": """
workerEnv.init() ok {path}
mod_jk child workerEnv in error state {n}
jk2_init() Found child {n} in scoreboard slot {n}
[client {ip}] Directory index forbidden by rule: {path}
jk2_init() Can't find child {n} in scoreboard
mod_jk child init {n} -2""",
    "proxifier": """
{host}:{n} close, {size} sent, {size} received, lifetime {lasting}
{host}:{n} open through proxy {host}:{n} HTTPS
{host}:{n} open through proxy {host}:{n} SOCKS5
{host}:{n} error : Could not connect through proxy {host}:{n} - Proxy server cannot establish a connection with the target, status code {n}
{host}:{n} error : Could not connect to proxy {host}:{n} - Could not resolve {host} error {n}
{host}:{n} error : Could not connect to proxy {host}:{n} - connection attempt failed with error {n}
{host}:{n} error : Could not connect through proxy {host}:{n} - Proxy closed the connection unexpectedly.
{host}:{n} error : A connection request was canceled before the completion.""",
    "openssh": """
pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={host}  user=root
Failed password for {user} from {ip} port {n} ssh2
Failed password for invalid user {user} from {ip} port {n} ssh2
Received disconnect from {ip}: {n}: Bye Bye [preauth]
pam_unix(sshd:auth): check pass; user unknown
input_userauth_request: invalid user {user} [preauth]
Invalid user {user} from {ip}
pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={host}
reverse mapping checking getaddrinfo for {host} [{ip}] failed - POSSIBLE BREAK-IN ATTEMPT!
Connection closed by {ip} [preauth]
PAM {n} more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={host}  user=root
PAM {n} more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={host}
PAM service(sshd) ignoring max retries; {n} > {n}
error: Received disconnect from {ip}: {n}: com.jcraft.jsch.JSchException: Auth fail [preauth]
error: Received disconnect from {ip}: {n}: No more user authentication methods available. [preauth]
Disconnecting: Too many authentication failures for root [preauth]
Disconnecting: Too many authentication failures for admin [preauth]
Accepted password for {user} from {ip} port {n} ssh2
pam_unix(sshd:session): session opened for user {user} by (uid={n})
pam_unix(sshd:session): session closed for user {user}
message repeated {n} times: [ Failed password for root from {ip} port {n} ssh2]
fatal: Write failed: Connection reset by peer [preauth]""",
    "openstack": """
{ip} "GET /v2/{hex8}/servers/detail HTTP/1.1" status: {n} len: {n} time: {f}
{ip} "POST /v2/{hex8}/os-server-external-events HTTP/1.1" status: {n} len: {n} time: {f}
{ip} "DELETE /v2/{hex8}/servers/{uuid} HTTP/1.1" status: {n} len: {n} time: {f}
[instance: {uuid}] Terminating instance
[instance: {uuid}] Creating image
[instance: {uuid}] Claim successful
[instance: {uuid}] VM Started (Lifecycle Event)
[instance: {uuid}] VM Stopped (Lifecycle Event)
[instance: {uuid}] VM Paused (Lifecycle Event)
[instance: {uuid}] VM Resumed (Lifecycle Event)
[instance: {uuid}] Took {f} seconds to build instance.
[instance: {uuid}] Took {f} seconds to spawn the instance on the hypervisor.
[instance: {uuid}] Took {f} seconds to destroy the instance on the hypervisor.
[instance: {uuid}] Took {f} seconds to deallocate network for instance.
[instance: {uuid}] Attempting claim: memory {n} MB, disk {n} GB, vcpus {n} CPU
[instance: {uuid}] Total memory: {n} MB, used: {f} MB
[instance: {uuid}] Total disk: {n} GB, used: {f} GB
[instance: {uuid}] memory limit: {f} MB, free: {f} MB
[instance: {uuid}] disk limit not specified, defaulting to unlimited
[instance: {uuid}] vcpu limit not specified, defaulting to unlimited
[instance: {uuid}] Deleting instance files {path}
[instance: {uuid}] Deletion of {path} complete
image {uuid} at ({path}): checking
image {uuid} at ({path}): in use: on this node {n} local, {n} on other nodes sharing this instance storage
Active base files: {path}
Unknown base file: {path}
Removable base files: {path}
Creating event network-vif-plugged:{uuid} for instance {uuid}""",
    "mac": """
ARPT: {f}: wl0: setup_keepalive: Local IP: {ip}
ARPT: {f}: wl0: setup_keepalive: Remote IP: {ip}
ARPT: {f}: wl0: setup_keepalive: interval {n}, retry_interval {n}, retry_count {n}
en0: BSSID changed to {mac}
en0: channel changed to {n}
en0::IO80211Interface::postMessage bssid changed
AirPort: Link Up on awdl0
AirPort: Link Up on en0
AirPort: Link Down on awdl0. Reason {n} (Unspecified).
AirPort: Link Down on en0. Reason {n} (Disassociated because station leaving).
{hex8}::setAwdlOperatingMode Setting the AWDL operation mode from AUTO to SUSPENDED
{hex8}::setAwdlOperatingMode Setting the AWDL operation mode from SUSPENDED to AUTO
<IMMacNotificationCenterManager: {hex}>:   DND Enabled: NO
<IMMacNotificationCenterManager: {hex}>:   DND Enabled: YES
[HID] [MT] AppleMultitouchDevice::start entered
[HID] [MT] AppleMultitouchDevice::willTerminate entered
Previous sleep cause: {n}
Wake reason: RTC (Alarm)
USBMSC Identifier (non-unique): {hex} {hex} {hex} {hex}, {n}
Failed to connect (titleField) outlet from (MMSessionPicker) to (NSTextField): missing setter or instance variable
Failed to connect (view) outlet from (NSApplication) to (NSColorPickerGrid): missing setter or instance variable
Bluetooth -- LE is supported - Disable LE meta event
Unexpected payload found for message {n}, dataLen {n}""",
}


def made_log(style: str, lines: int = 2_000, seed: int = 0) -> tuple[list[str], list[int]]:
    """(messages, the number of the statement each was made by)."""
    chance = random.Random(f"{style} {seed}")
    statements = [_statement(text) for text in STYLES[style].strip("\n").split("\n")]
    weights = [1 / (place + 1) for place in range(len(statements))]
    labels = chance.choices(range(len(statements)), weights, k=lines)
    return [
        "".join(KINDS[part](chance) if is_kind else part for part, is_kind in statements[label]) for label in labels
    ], labels


def _statement(text: str) -> list[tuple[str, bool]]:
    parts = (
        re.split(r"\{(\w+)\}", text.replace("{{", "\0").replace("}}", "\1"))
        if "{{uuid}}" not in text
        else re.split(r"\{(\w+)\}", text)
    )
    return [(part.replace("\0", "{").replace("\1", "}"), bool(place % 2)) for place, part in enumerate(parts)]
