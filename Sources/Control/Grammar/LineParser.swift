internal import LVS

/// One judged command line.
struct ParsedLine {
    var entry: CommandEntry
    var values: LineValues
}

/// Judges a command line in the order of ipvsadm-cli section 1, without looking at the table.
struct LineParser {
    let program: String
    private var scanner: OptionScanner
    private let isEmpty: Bool

    init(_ words: [String], program: String) {
        self.program = program
        scanner = OptionScanner(words)
        isEmpty = words.isEmpty
    }

    /// The line's command and values, or the first complaint.
    static func parse(_ words: [String], program: String) throws(CommandError) -> ParsedLine {
        var parser = LineParser(words, program: program)
        return try parser.parse()
    }

    private mutating func parse() throws(CommandError) -> ParsedLine {
        let (entry, state) = try commandEntry()
        scanner.takesLocal = entry.allowance(.localAddress) != .refused
        var values = LineValues(command: entry.command)
        if entry.command == .help || entry.command == .version {
            return ParsedLine(entry: entry, values: values)
        }
        if let state { values.daemon.isMaster = try daemonState(state, entry.command) }
        while let item = try scanner.next() { try apply(item, to: &values) }
        try takeLeftovers(&values)
        try applySchedulerFlags(&values)
        try LineChecks.compatibility(entry, values)
        try entry.check(&values)
        return ParsedLine(entry: entry, values: values)
    }

    private mutating func commandEntry() throws(CommandError) -> (CommandEntry, String?) {
        guard !isEmpty else {
            guard let list = CommandEntry.entry(of: .list) else { throw tryHelp }
            return (list, nil)
        }
        // Whatever is wrong with the first option, the answer is the same.
        let first: OptionScanner.Item?
        do { first = try scanner.next() } catch { throw tryHelp }
        guard let first, case .command(let command) = first.meaning,
            let entry = CommandEntry.entry(of: command)
        else { throw tryHelp }
        return (entry, first.argument)
    }

    private var tryHelp: CommandError { .tryHelp(program: program) }

    private func daemonState(_ word: String, _ command: Command) throws(CommandError) -> Bool {
        switch word {
        case "master": return true
        case "backup": return false
        default:
            throw .line(
                command == .startDaemon
                    ? "illegal start-daemon parameter specified" : "illegal start_daemon specified")
        }
    }

    private func takeLeftovers(_ values: inout LineValues) throws(CommandError) {
        var rest = scanner.leftovers[...]
        if values.command == .set {
            guard rest.count >= 3 else {
                throw .line("--set option requires 3 timeout values")
            }
            for word in rest.prefix(3) {
                values.timeouts.append(try Self.seconds(word, in: 0...2_678_400))
            }
            rest = rest.dropFirst(3)
        }
        if let word = rest.first { throw .line("unexpected argument \(word)") }
    }

    private func applySchedulerFlags(_ values: inout LineValues) throws(CommandError) {
        guard let word = values.service.schedulerFlagsWord else { return }
        values.service.flags.formUnion(
            try SchedulerFlagNames.flags(word, scheduler: values.service.scheduler))
    }

    static func seconds(_ word: String, in range: ClosedRange<Int64>) throws(CommandError) -> UInt32
    {
        guard let value = ValueWords.number(word, in: range) else {
            throw .line("invalid timeout value `\(word)' specified")
        }
        return UInt32(value)
    }
}

extension LineParser {
    private func apply(_ item: OptionScanner.Item, to values: inout LineValues) throws(CommandError)
    {
        let word = item.argument ?? ""
        switch item.meaning {
        case .command: throw .line("invalid option `\(item.word)'")
        case .sort: break
        case .ipv6:
            guard values.service.isMark else { throw .line("-6 used before -f\n") }
            values.service.family = .v6
            values.service.netmask = 128
        case .service(let kind):
            try values.seen.insert(.serviceAddress)
            try service(kind, word, &values.service)
        case .method(let kind):
            try values.seen.insert(.forwardingMethod)
            values.server.method =
                switch kind {
                case .gatewaying: .directRouting
                case .ipip: .tunnel
                case .masquerading: .masquerading
                case .fullNAT: .fullNAT
                }
        case .option(let option):
            try values.seen.insert(option)
            try apply(option, item.argument, word, &values)
        }
    }

    private func service(
        _ kind: Spelling.TransportWord, _ word: String, _ service: inout LineValues.Service
    ) throws(CommandError) {
        switch kind {
        case .mark:
            guard let mark = ValueWords.number(word, in: 1...Int64(UInt32.max)) else {
                throw .line("invalid fwmark value `\(word)' specified")
            }
            service.mark = UInt32(mark)
            return
        case .tcp: service.transport = .tcp
        case .udp: service.transport = .udp
        case .sctp: service.transport = .sctp
        }
        guard let endpoint = Endpoint(word, transport: service.transport) else {
            throw .line("illegal virtual server address[:port] specified")
        }
        service.address = endpoint.address
        service.family = endpoint.family
        service.port = endpoint.port ?? 0
        service.isMapped = endpoint.isMapped
        if endpoint.family == .v6 { service.netmask = 128 }
    }

    private func apply(
        _ option: CommandOption, _ argument: String?, _ word: String, _ values: inout LineValues
    ) throws(CommandError) {
        switch option {
        case .scheduler:
            // Fifteen bytes fit into the request.
            let name = String(decoding: word.utf8.prefix(15), as: UTF8.self)
            values.service.scheduler = name.isEmpty ? "wlc" : name
        case .persistent:
            values.service.flags.insert(.persistent)
            values.service.persistenceSeconds =
                try argument.map { text throws(CommandError) in
                    try Self.seconds(text, in: 1...2_678_400)
                } ?? 360
        case .netmask: values.service.netmask = try netmask(word, values.service.family)
        case .persistenceEngine:
            values.service.engine =
                word.isEmpty ? nil : String(decoding: word.utf8.prefix(15), as: UTF8.self)
        case .onePacket: values.service.flags.insert(.onePacket)
        case .schedulerFlags: values.service.schedulerFlagsWord = word
        case .realServer: try server(word, &values)
        case .weight:
            values.server.weight = Int32(
                try number(word, in: 0...2_147_483_647, "illegal weight specified"))
        case .upperThreshold:
            values.server.upperThreshold = UInt32(
                try number(word, in: 0...2_147_483_647, "illegal u_threshold specified"))
        case .lowerThreshold:
            values.server.lowerThreshold = UInt32(
                try number(word, in: 0...2_147_483_647, "illegal l_threshold specified"))
        case .tunnelType:
            guard let type = LineValues.Server.TunnelType(rawValue: word) else {
                throw .line("illegal tunnel type specified")
            }
            values.server.tunnelType = type
        case .tunnelPort:
            values.server.tunnelPort = UInt16(
                try number(word, in: 1...65535, "illegal tunnel port specified"))
        case .localAddress: values.locals = try LocalWords.range(word)
        case .clientAddressOption, .proxyProtocol, .newSequence, .noTimestamps:
            try apply(option, word, &values.service.fullNAT)
        case .tunnelChecksum: values.server.tunnelFlags |= 1
        case .tunnelRemoteChecksum: values.server.tunnelFlags |= 2
        case .multicastInterface, .multicastGroup, .multicastPort, .multicastTTL, .syncID,
            .syncMaximumLength:
            try apply(option, word, &values.daemon)
        default: break
        }
    }

    private func apply(
        _ option: CommandOption, _ word: String, _ fullNAT: inout FullNATOptions
    ) throws(CommandError) {
        switch (option, word) {
        case (.clientAddressOption, "ack"): fullNAT.clientAddress = .toa
        case (.clientAddressOption, "syn"): fullNAT.clientAddress = .toaFromSYN
        case (.proxyProtocol, "v1"): fullNAT.clientAddress = .proxyV1
        case (.proxyProtocol, "v2"): fullNAT.clientAddress = .proxyV2
        case (.newSequence, _): fullNAT.startsSequenceAnew = true
        case (.noTimestamps, _): fullNAT.removesTimestamps = true
        case (.clientAddressOption, _):
            throw .line("illegal toa `\(word)' specified; accepted are ack and syn")
        default:
            throw .line("illegal proxy-protocol `\(word)' specified; accepted are v1 and v2")
        }
    }

    private func apply(
        _ option: CommandOption, _ word: String, _ daemon: inout LineValues.Daemon
    ) throws(CommandError) {
        switch option {
        case .multicastInterface:
            daemon.interface = String(decoding: word.utf8.prefix(15), as: UTF8.self)
        case .syncID:
            daemon.syncID = UInt32(try number(word, in: 0...255, "illegal syncid specified"))
        case .multicastPort:
            daemon.port = UInt16(try number(word, in: 1...65535, "illegal mcast-port specified"))
        case .multicastTTL:
            daemon.ttl = UInt8(try number(word, in: 1...255, "illegal mcast-ttl specified"))
        case .syncMaximumLength:
            daemon.maximumLength = UInt16(
                try number(word, in: 1...65507, "illegal sync-maxlen specified"))
        default: daemon.group = try multicastGroup(word)
        }
    }

    private func multicastGroup(
        _ word: String
    ) throws(CommandError) -> (IPAddress, AddressFamily) {
        if word.utf8.contains(0x3a) {
            guard let address = ValueWords.ipv6(word), address.high >> 56 == 0xff else {
                throw .line("invalid IPv6 mcast-group `\(word)'")
            }
            return (address, .v6)
        }
        guard let value = ValueWords.ipv4(word), value >> 28 == 0xe else {
            throw .line("invalid IPv4 mcast-group `\(word)'")
        }
        return (IPAddress(v4: value), .v4)
    }

    private func netmask(_ word: String, _ family: AddressFamily) throws(CommandError) -> UInt32 {
        if family == .v6 {
            let length = ValueWords.leadingNumber(word)
            guard (1...128).contains(length) else { throw .line("illegal ipv6 netmask specified") }
            return UInt32(length)
        }
        guard let mask = ValueWords.ipv4(word) else {
            throw .line("illegal virtual server persistent mask specified")
        }
        return mask
    }

    private func server(_ word: String, _ values: inout LineValues) throws(CommandError) {
        guard let endpoint = Endpoint(word, transport: values.service.transport) else {
            throw .line("illegal real server address[:port] specified")
        }
        values.server.address = endpoint.address
        values.server.family = endpoint.family
        values.server.isMapped = endpoint.isMapped
        // The service's port as known at this place of the line: 0 when `-r` stands before it.
        values.server.port = endpoint.port ?? values.service.port
    }

    private func number(
        _ word: String, in range: ClosedRange<Int64>, _ complaint: String
    ) throws(CommandError) -> Int64 {
        guard let value = ValueWords.number(word, in: range) else { throw .line(complaint) }
        return value
    }
}
