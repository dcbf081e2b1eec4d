internal import LVS

/// One thing that a director remembers beyond its end.
package enum StateItem: Hashable, Sendable {
    /// A service, a server, a local address or a marking rule of the table.
    case rule(Rule)
    /// What the rules file said when it was applied last; it may differ from the table by now.
    case applied(Rule)
    case setting(name: String, value: String)
    case timeouts(TimeoutsRecord)
    case daemon(DaemonRecord)
}

extension StateItem {
    /// The item as a line of a state file says it.
    var line: String {
        switch self {
        case .rule(let rule): Self.text(rule)
        case .applied(let rule): "applied \(Self.text(rule))"
        case .setting(let name, let value): "setting \(name) \(value)"
        case .timeouts(let record):
            "timeouts \(record.tcpSeconds) \(record.tcpFinSeconds) \(record.udpSeconds)"
        case .daemon(let record): Self.text(record)
        }
    }

    private static func text(_ rule: Rule) -> String {
        switch rule {
        case .addService(let service):
            var flags = service.flags
            // Whether it stands in a table is no property of the service.
            flags.remove(.hashed)
            let engine = service.persistenceEngine ?? "-"
            return "service \(text(service.key)) \(service.scheduler) \(flags.rawValue) "
                + "\(service.persistenceTimeoutSeconds) \(service.netmask) \(engine)"
                + text(service.fullNAT)
        case .addLocal(let key, let address):
            return "local \(text(key)) \(address)"
        case .addServer(let key, let server):
            return "server \(text(key)) \(server.address) \(server.port) \(server.method.rawValue) "
                + "\(server.weight) \(server.upperThreshold) \(server.lowerThreshold) "
                + text(server.tunnel)
        case .addMark(let mark):
            return "mark \(MarkRuleWords.text(mark))"
        }
    }

    /// Left out by services that ask for nothing.
    private static func text(_ options: FullNATOptions) -> String {
        options == FullNATOptions.none ? "" : " fullnat \(options.wire)"
    }

    private static func text(_ key: ServiceKey) -> String {
        switch key {
        case .address(let transport, let address, let port):
            "\(transport.rawValue) \(address) \(port)"
        case .mark(let mark, let family): "mark \(mark) \(family == .v4 ? 4 : 6)"
        }
    }

    private static func text(_ tunnel: TunnelKind) -> String {
        switch tunnel {
        case .ipip: "ipip"
        case .gue(let port, let flags): "gue \(port) \(flags)"
        case .gre(let flags): "gre \(flags)"
        }
    }

    private static func text(_ daemon: DaemonRecord) -> String {
        let group =
            switch daemon.group {
            case .v4(let address): address.description
            case .v6(let address): address.description
            case nil: "-"
            }
        let numbers = [daemon.maximumBytes, daemon.port, daemon.timeToLive.map(UInt16.init)]
        return "daemon \(daemon.state) \(daemon.interface) \(daemon.syncID) \(group) "
            + numbers.map { $0.map { String($0) } ?? "-" }.joined(separator: " ")
    }
}

/// Why a line of a state file is no item.
struct StateLineMistake: Error {
    var text: String
}

extension StateItem {
    /// Reads what `line` writes.
    init(_ line: String) throws(StateLineMistake) {
        var words = StateWords(line)
        var kind = try words.next("a kind of item")
        let isApplied = kind == "applied"
        if isApplied { kind = try words.next("a kind of rule") }
        let rule: Rule?
        switch kind {
        case "service": rule = .addService(try words.service())
        case "server":
            let key = try words.key()
            rule = .addServer(key, try words.server())
        case "local":
            let key = try words.key()
            rule = .addLocal(key, try words.address())
        case "mark": rule = .addMark(try words.mark())
        default: rule = nil
        }
        if let rule {
            self = isApplied ? .applied(rule) : .rule(rule)
        } else {
            guard !isApplied else { throw StateLineMistake(text: "'\(kind)' is no kind of rule") }
            self = try words.other(kind)
        }
        try words.end()
    }
}

/// The words of one line, taken one after the other.
private struct StateWords {
    private var rest: ArraySlice<Substring>

    init(_ line: String) { rest = line.split(separator: " ")[...] }

    mutating func next(_ what: String) throws(StateLineMistake) -> String {
        guard let word = rest.popFirst() else { throw StateLineMistake(text: "\(what) is missing") }
        return String(word)
    }

    mutating func number<Number: FixedWidthInteger>(
        _ what: String, as type: Number.Type = Number.self
    ) throws(StateLineMistake) -> Number {
        let word = try next(what)
        guard let number = Number(word) else {
            throw StateLineMistake(text: "'\(word)' is no \(what)")
        }
        return number
    }

    /// Nil where the line has a hyphen.
    private mutating func optional<Number: FixedWidthInteger>(
        _ what: String
    ) throws(StateLineMistake) -> Number? {
        guard rest.first != "-" else {
            rest.removeFirst()
            return nil
        }
        return try number(what)
    }

    mutating func address() throws(StateLineMistake) -> IPAddress {
        let word = try next("an address")
        guard let address = IPAddress(parsing: word) else {
            throw StateLineMistake(text: "'\(word)' is no address")
        }
        return address
    }

    func end() throws(StateLineMistake) {
        if let word = rest.first { throw StateLineMistake(text: "'\(word)' is one word too many") }
    }

    mutating func key() throws(StateLineMistake) -> ServiceKey {
        guard rest.first == "mark" else {
            let transport = TransportProtocol(rawValue: try number("protocol"))
            let address = try address()
            return .address(transport, address, port: try number("port"))
        }
        rest.removeFirst()
        let mark: UInt32 = try number("mark")
        switch try next("a family") {
        case "4": return .mark(mark, .v4)
        case "6": return .mark(mark, .v6)
        default: throw StateLineMistake(text: "a family is 4 or 6")
        }
    }

    mutating func service() throws(StateLineMistake) -> VirtualService {
        let key = try key()
        let scheduler = try next("a scheduler")
        let flags = ServiceFlags(rawValue: try number("flags"))
        let timeout: UInt32 = try number("timeout")
        let netmask: UInt32 = try number("mask")
        let engine = try next("an engine")
        let fullNAT = try fullNAT()
        return VirtualService(
            key: key, scheduler: scheduler, flags: flags, persistenceTimeoutSeconds: timeout,
            netmask: netmask, persistenceEngine: engine == "-" ? nil : engine,
            fullNAT: fullNAT)
    }

    private mutating func fullNAT() throws(StateLineMistake) -> FullNATOptions {
        guard rest.first == "fullnat" else { return FullNATOptions.none }
        rest.removeFirst()
        let number: UInt32 = try number("set of options of FULLNAT")
        do throws(Refusal) {
            return try FullNATOptions(wire: number) ?? FullNATOptions.none
        } catch {
            throw StateLineMistake(text: error.ownWords)
        }
    }

    mutating func server() throws(StateLineMistake) -> RealServer {
        let address = try address()
        let port: UInt16 = try number("port")
        guard let method = ForwardingMethod(rawValue: try number("forwarding method")) else {
            throw StateLineMistake(text: "there is no such forwarding method")
        }
        return RealServer(
            address: address, port: port, method: method, weight: try number("weight"),
            upperThreshold: try number("upper threshold"),
            lowerThreshold: try number("lower threshold"), tunnel: try tunnel())
    }

    private mutating func tunnel() throws(StateLineMistake) -> TunnelKind {
        switch try next("a tunnel") {
        case "ipip": return .ipip
        case "gue":
            let port: UInt16 = try number("tunnel port")
            return .gue(port: port, flags: try number("tunnel flags"))
        case "gre": return .gre(flags: try number("tunnel flags"))
        case let word: throw StateLineMistake(text: "'\(word)' is no tunnel")
        }
    }

    mutating func mark() throws(StateLineMistake) -> MarkRule {
        defer { rest = [] }
        do throws(CommandError) {
            return try MarkRuleWords.rule(rest.map(String.init))
        } catch {
            throw StateLineMistake(text: error.text)
        }
    }

    mutating func other(_ kind: String) throws(StateLineMistake) -> StateItem {
        switch kind {
        case "setting":
            let name = try next("a name")
            let first = try next("a value")
            defer { rest = [] }
            return .setting(
                name: name, value: ([first] + rest.map(String.init)).joined(separator: " "))
        case "timeouts":
            let tcp: Int32 = try number("timeout")
            let tcpFin: Int32 = try number("timeout")
            return .timeouts(
                TimeoutsRecord(
                    tcpSeconds: tcp, tcpFinSeconds: tcpFin, udpSeconds: try number("timeout")))
        case "daemon": return .daemon(try daemon())
        default: throw StateLineMistake(text: "'\(kind)' is no kind of item")
        }
    }

    private mutating func daemon() throws(StateLineMistake) -> DaemonRecord {
        var daemon = DaemonRecord(state: try number("state"))
        guard daemon.role != nil else {
            throw StateLineMistake(text: "\(daemon.state) is no state of a daemon")
        }
        daemon.interface = try next("an interface")
        daemon.syncID = try number("syncid")
        if rest.first == "-" {
            rest.removeFirst()
        } else {
            let address = try address()
            daemon.group = address.isV4 ? .v4(address) : .v6(address)
        }
        daemon.maximumBytes = try optional("length")
        daemon.port = try optional("port")
        daemon.timeToLive = try optional("time to live")
        return daemon
    }
}
