import ArgumentParser
import Control
import LVS
import Posix

/// The daemon's command line.
struct Options: ParsableArguments {
    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Interface to serve; repeat it or separate by commas.",
            discussion: """
                A name (eth0) or scheme:name: afpacket:eth0, the same, or xdp:eth0. nfqueue:0 takes \
                packets of all interfaces from a queue of netfilter, with their firewall marks \
                (nfqueue:0-3 with four workers). Without this option every Ethernet interface that \
                is up is served by packet sockets.
                """, valueName: "eth0,eth1|scheme:eth0|nfqueue:0"))
    var interface: [String] = []

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "With nfqueue:0, leave it to you to lead packets to the queue.",
            discussion: """
                Requests and replies of NAT servers must reach it: iptables -t mangle -A PREROUTING \
                -d VIP -j NFQUEUE --queue-num 0.
                """))
    var noQueueRules = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Rules to begin with, as 'ipvsadm -Sn' writes them.",
            discussion: """
                Blank lines and lines that begin with # are skipped; SIGHUP reads it again.
                """, valueName: "file"))
    var rules: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "File in which the table, settings and marks outlast this process.",
            discussion: """
                Written whenever they change and read at the start; no file is the first start. With \
                --rules as well, the rules file is applied as by SIGHUP if it was edited since.
                """, valueName: "file"))
    var state: String?

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "Start with what of a damaged state file can be trusted.",
            discussion: "Without this the start is refused. The damaged file is kept aside."))
    var statePartial = false

    /// What `--table` says for a table that ends with the process.
    static let noTable = "anonymous"

    @Option(
        name: .long,
        help: ArgumentHelp(
            "File in memory for the connection table, which the next director takes over.",
            discussion: """
                In tmpfs or hugetlbfs. Connections then outlast a kill and a restart. 'anonymous' keeps \
                the table to this process. Default: a file for each network namespace in \
                $RUNTIME_DIRECTORY, /run/director or /dev/shm; without $RUNTIME_DIRECTORY it outlasts a \
                kill, and an end by a signal removes it.
                """, valueName: "file|anonymous"))
    var table: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Control socket.",
            discussion: "Default: $DIRECTOR_CONTROL, else one path per network namespace.",
            valueName: "path"))
    var control: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Group that may use the control socket as well as root.", valueName: "group"))
    var controlGroup: String?

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Answer ARP or neighbour discovery for this virtual address; repeat it for several.",
            discussion: """
                Only for addresses that no host interface owns. In a pair of directors exactly one \
                may answer.
                """, valueName: "address"))
    var answer: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Threads that forward frames: a number, or auto.",
            discussion: """
                One is the default; auto is one for each CPU this process may run on. Several are bound \
                to a CPU each, and share the frames of an interface by clients.
                """, valueName: "number|auto"))
    var workers: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "CPUs to bind the workers to, one for each.",
            discussion: """
                Default: the last ones this process may run on; a single worker goes where the kernel \
                puts it.
                """, valueName: "1,3|2-5"))
    var cpus: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "File for every frame that comes and leaves, for Wireshark and tcpdump.",
            discussion: """
                Frames of AF_XDP, which tcpdump does not see, are in it as well. What the disk is too slow \
                for is left out and counted by 'directorctl status'.
                """, valueName: "file"))
    var captureTo: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Size in MiB that the capture ends at (100 unless told otherwise).",
            valueName: "number"))
    var captureLimit: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("Connections the table has room for.", valueName: "number"))
    var connections = 1_000_000

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Only what listings show: size=2^bits, 8 to 27.", valueName: "bits"))
    var connTabBits = 12

    @Option(
        name: .long,
        help: ArgumentHelp("trace, debug, info, notice, warning or error.", valueName: "level"))
    var logLevel = "info"

    @Flag(
        name: .long,
        help:
            "Remove what an earlier director left on this host (ingress block, queue rules), and end."
    )
    var clean = false

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "Say what a start with these options would find and use, and end.",
            discussion: """
                Touches nothing and needs no privilege. Exit status 1 when something is in the way.
                """))
    var check = false

    @Flag(name: .long, help: "With --check: for programs.")
    var json = false

    func validate() throws {
        guard !check || !clean else {
            throw ValidationError("--check and --clean: one of them is accepted")
        }
        guard !json || check else {
            throw ValidationError("--json is accepted with --check (directorctl status --json)")
        }
        guard (1...ConnectionTable.mostConnections).contains(connections) else {
            throw ValidationError(
                "--connections \(connections): 1 to \(ConnectionTable.mostConnections) are accepted"
            )
        }
        guard (8...27).contains(connTabBits) else {
            throw ValidationError("--conn-tab-bits \(connTabBits): 8 to 27 are accepted")
        }
        guard !noQueueRules || interface.contains(where: { $0.hasPrefix("nfqueue:") }) else {
            throw ValidationError("--no-queue-rules needs --interface nfqueue:0")
        }
        guard !statePartial || state != nil else {
            throw ValidationError("--state-partial needs --state FILE")
        }
        if let table, table.isEmpty {
            throw ValidationError("--table: a file, or \(Options.noTable), is accepted")
        }
        _ = try Processors(self)
        guard captureLimit == nil || captureTo != nil else {
            throw ValidationError("--capture-limit needs --capture-to FILE")
        }
        if let captureLimit, !(1...1_000_000).contains(captureLimit) {
            throw ValidationError("--capture-limit \(captureLimit): 1 to 1000000 are accepted")
        }
        if let controlGroup, Identity.group(controlGroup) == nil {
            throw ValidationError(
                "--control-group \(controlGroup): the name or number of a group is accepted")
        }
        for word in answer where IPAddress(parsing: word) == nil {
            throw ValidationError("--answer \(word): an IP address is accepted")
        }
    }

    /// The interfaces asked for, in order, without repetition.
    var interfaces: [String] {
        var seen = Set<String>()
        return interface.flatMap { $0.split(separator: ",").map(String.init) }
            .filter { seen.insert($0).inserted }
    }
}
