/// The options of the command line in the order of the compatibility check (ipvsadm-cli section 1);
/// the director's own stand behind those of ipvsadm.
enum CommandOption: Int, CaseIterable {
    case numeric = 1
    case connection
    case serviceAddress
    case scheduler
    case persistent
    case netmask
    case realServer
    case forwardingMethod
    case weight
    case upperThreshold
    case lowerThreshold
    case multicastInterface
    case timeout
    case daemon
    case stats
    case rate
    case thresholds
    case persistentConnections
    case noSort
    case syncID
    case exact
    case onePacket
    case persistenceEngine
    case schedulerFlags
    case multicastGroup
    case multicastPort
    case multicastTTL
    case syncMaximumLength
    case tunnelInfo
    case tunnelType
    case tunnelPort
    case tunnelNoChecksum
    case tunnelChecksum
    case tunnelRemoteChecksum
    case localAddress
    case clientAddressOption
    case proxyProtocol
    case newSequence
    case noTimestamps

    /// The one name messages use.
    var name: String { Self.names[rawValue - 1] }

    private static let names = [
        "numeric", "connection", "service-address", "scheduler", "persistent", "netmask",
        "real-server", "forwarding-method", "weight", "u-threshold", "l-threshold",
        "mcast-interface", "timeout", "daemon", "stats", "rate", "thresholds", "persistent-conn",
        "nosort", "syncid", "exact", "ops", "pe", "sched-flags", "mcast-group", "mcast-port",
        "mcast-ttl", "sync-maxlen", "tun-info", "tun-type", "tun-port", "tun-nocsum", "tun-csum",
        "tun-remcsum", "laddr", "toa", "proxy-protocol", "new-isn", "no-timestamps",
    ]
}

/// What an option word stands for; the three service options and the three methods differ here.
enum Spelling: Equatable, Sendable {
    case option(CommandOption)
    case service(TransportWord)
    case method(MethodWord)
    case command(Command)
    case ipv6
    case sort

    enum TransportWord { case tcp, udp, sctp, mark }
    enum MethodWord { case gatewaying, ipip, masquerading, fullNAT }
}

/// One row of the table of words: letter, long name, argument, meaning.
struct OptionRow: Sendable {
    enum Argument { case none, required, optional }

    var letter: Character?
    var long: String
    var argument: Argument
    var meaning: Spelling

    init(_ letter: Character?, _ long: String, _ argument: Argument, _ meaning: Spelling) {
        self.letter = letter
        self.long = long
        self.argument = argument
        self.meaning = meaning
    }

    /// Every option that is not a command.
    static let options: [OptionRow] = [
        OptionRow("n", "numeric", .none, .option(.numeric)),
        OptionRow("c", "connection", .none, .option(.connection)),
        OptionRow("t", "tcp-service", .required, .service(.tcp)),
        OptionRow("u", "udp-service", .required, .service(.udp)),
        OptionRow(nil, "sctp-service", .required, .service(.sctp)),
        OptionRow("f", "fwmark-service", .required, .service(.mark)),
        OptionRow("s", "scheduler", .required, .option(.scheduler)),
        OptionRow("p", "persistent", .optional, .option(.persistent)),
        OptionRow("M", "netmask", .required, .option(.netmask)),
        OptionRow("r", "real-server", .required, .option(.realServer)),
        OptionRow("g", "gatewaying", .none, .method(.gatewaying)),
        OptionRow("i", "ipip", .none, .method(.ipip)),
        OptionRow("m", "masquerading", .none, .method(.masquerading)),
        OptionRow(nil, "fullnat", .none, .method(.fullNAT)),
        OptionRow("w", "weight", .required, .option(.weight)),
        OptionRow("x", "u-threshold", .required, .option(.upperThreshold)),
        OptionRow("y", "l-threshold", .required, .option(.lowerThreshold)),
        OptionRow(nil, "mcast-interface", .required, .option(.multicastInterface)),
        OptionRow(nil, "timeout", .none, .option(.timeout)),
        OptionRow(nil, "daemon", .none, .option(.daemon)),
        OptionRow(nil, "stats", .none, .option(.stats)),
        OptionRow(nil, "rate", .none, .option(.rate)),
        OptionRow(nil, "thresholds", .none, .option(.thresholds)),
        OptionRow(nil, "persistent-conn", .none, .option(.persistentConnections)),
        OptionRow(nil, "nosort", .none, .option(.noSort)),
        OptionRow(nil, "sort", .none, .sort),
        OptionRow(nil, "syncid", .required, .option(.syncID)),
        OptionRow("X", "exact", .none, .option(.exact)),
        OptionRow("6", "ipv6", .none, .ipv6),
        OptionRow("o", "ops", .none, .option(.onePacket)),
        OptionRow(nil, "pe", .required, .option(.persistenceEngine)),
        OptionRow("b", "sched-flags", .required, .option(.schedulerFlags)),
        OptionRow(nil, "mcast-group", .required, .option(.multicastGroup)),
        OptionRow(nil, "mcast-port", .required, .option(.multicastPort)),
        OptionRow(nil, "mcast-ttl", .required, .option(.multicastTTL)),
        OptionRow(nil, "sync-maxlen", .required, .option(.syncMaximumLength)),
        OptionRow(nil, "tun-info", .none, .option(.tunnelInfo)),
        OptionRow(nil, "tun-type", .required, .option(.tunnelType)),
        OptionRow(nil, "tun-port", .required, .option(.tunnelPort)),
        OptionRow(nil, "tun-nocsum", .none, .option(.tunnelNoChecksum)),
        OptionRow(nil, "tun-csum", .none, .option(.tunnelChecksum)),
        OptionRow(nil, "tun-remcsum", .none, .option(.tunnelRemoteChecksum)),
        OptionRow("z", "laddr", .required, .option(.localAddress)),
        OptionRow(nil, "toa", .required, .option(.clientAddressOption)),
        OptionRow(nil, "proxy-protocol", .required, .option(.proxyProtocol)),
        OptionRow(nil, "new-isn", .none, .option(.newSequence)),
        OptionRow(nil, "no-timestamps", .none, .option(.noTimestamps)),
    ]

    static let all: [OptionRow] = CommandEntry.all.flatMap(\.rows) + options
}

/// The options seen on one line.
struct OptionsSeen {
    private var bits: UInt64 = 0

    func contains(_ option: CommandOption) -> Bool { bits & 1 << UInt64(option.rawValue) != 0 }

    /// Notes the option; a second time is refused.
    mutating func insert(_ option: CommandOption) throws(CommandError) {
        guard !contains(option) else {
            throw .line("multiple '\(option.name)' options specified")
        }
        bits |= 1 << UInt64(option.rawValue)
    }
}
