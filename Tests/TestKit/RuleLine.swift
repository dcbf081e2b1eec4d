package import LVS

/// What went wrong with a line of a recording: a refusal of the director, or words this small
/// reader does not know.
package enum RuleLineError: Error {
    case refused(CommandRefusal)
    case unknown(String)
}

/// Carries out the lines recordings are set up with, as the command line would (ipvsadm-cli).
///
/// Knows what recordings of the engine need and nothing more; the grammar itself is Control's.
package struct RuleLine {
    private var words: ArraySlice<String>
    private var command = ""
    private var key: ServiceKey?
    private var scheduler = "wlc"
    private var flags: ServiceFlags = []
    private var engine: String?
    private var persistenceSeconds: UInt32 = 0
    private var netmask: UInt32?
    private var server: (address: IPAddress, port: UInt16?)?
    private var method = ForwardingMethod.directRouting
    private var local: IPAddress?
    private var weight: Int32 = 1
    private var upper: UInt32 = 0
    private var lower: UInt32 = 0
    private var timeouts: [UInt32] = []
    private var tunnel = (type: "ipip", port: UInt16(0), flags: UInt16(0))

    /// Runs a line given as words.
    package static func run(_ words: [String], on director: Director) throws(RuleLineError) {
        var line = RuleLine(words: words[...])
        while !line.words.isEmpty { try line.option() }
        do throws(CommandRefusal) {
            try line.execute(director)
        } catch {
            throw .refused(error)
        }
    }

    private init(words: ArraySlice<String>) { self.words = words }

    private mutating func option() throws(RuleLineError) {
        let word = words.removeFirst()
        switch word {
        case "-A", "-E", "-D", "-C", "-Z", "-a", "-e", "-d", "-P", "-Q": command = word
        case "--set":
            command = word
            for _ in 0..<3 { timeouts.append(try number(try next(), as: UInt32.self)) }
        case "-t": key = try service(.tcp, try next())
        case "-u": key = try service(.udp, try next())
        case "--sctp-service": key = try service(.sctp, try next())
        case "-f": key = .mark(try number(try next(), as: UInt32.self), .v4)
        case "-s": scheduler = try next()
        case "-o": flags.insert(.onePacket)
        case "-p":
            flags.insert(.persistent)
            persistenceSeconds = try number(try next(), as: UInt32.self)
        case "-M":
            let word = try next()
            netmask = UInt32(word) == nil ? try endpoint(word).address.v4 : UInt32(word)
        case "-6":
            guard case .mark(let mark, _) = key else { throw .unknown(word) }
            key = .mark(mark, .v6)
        case "--pe": engine = try next()
        case "-b": flags.formUnion(try schedulerFlags(try next()))
        case "-r": server = try endpoint(try next())
        case "-m": method = .masquerading
        case "-g": method = .directRouting
        case "-i": method = .tunnel
        case "--fullnat": method = .fullNAT
        case "-z":
            let text = try next()
            guard let address = IPAddress(dotted: text) else { throw .unknown(text) }
            local = address
        case "--tun-type": tunnel.type = try next()
        case "--tun-port": tunnel.port = try number(try next(), as: UInt16.self)
        case "--tun-nocsum": break
        case "--tun-csum": tunnel.flags |= 1
        case "--tun-remcsum": tunnel.flags |= 2
        case "-w": weight = try number(try next(), as: Int32.self)
        case "-x": upper = try number(try next(), as: UInt32.self)
        case "-y": lower = try number(try next(), as: UInt32.self)
        default: throw .unknown(word)
        }
    }

    private func execute(_ director: Director) throws(CommandRefusal) {
        if command == "-C" {
            director.flush()
        } else if command == "-Z" {
            try director.zero(key)
        } else if command == "--set" {
            try director.setTimeouts(
                Timeouts(tcp: timeouts[0], tcpFin: timeouts[1], udp: timeouts[2]))
        } else if let key {
            if let server {
                try execute(director, key, realServer(server, key))
            } else if let local {
                try command == "-Q"
                    ? director.deleteLocals([local], of: key)
                    : director.addLocals([local], to: key)
            } else {
                try execute(director, key)
            }
        } else {
            throw .invalid("the line names no service")
        }
    }

    private func execute(_ director: Director, _ key: ServiceKey) throws(CommandRefusal) {
        // The command line's own rule: port 0 needs persistence.
        if case .address(_, _, port: 0) = key, !flags.contains(.persistent), command != "-D" {
            throw .invalid("port 0 without persistence")
        }
        let service = VirtualService(
            key: key, scheduler: scheduler, flags: flags,
            persistenceTimeoutSeconds: persistenceSeconds, netmask: netmask,
            persistenceEngine: engine)
        switch command {
        case "-A": try director.add(service)
        case "-E": try director.edit(service)
        case "-D": try director.delete(key)
        default: throw .invalid("\(command) needs a server")
        }
    }

    private func execute(
        _ director: Director, _ key: ServiceKey, _ server: RealServer
    ) throws(CommandRefusal) {
        switch command {
        case "-a": try director.add(server, to: key)
        case "-e": try director.edit(server, of: key)
        case "-d": try director.delete(server.address, port: server.port, of: key)
        default: throw .invalid("\(command) takes no server")
        }
    }

    /// Direct routing and tunnels keep the port of the service, as the command line sees to.
    private func realServer(
        _ server: (address: IPAddress, port: UInt16?), _ key: ServiceKey
    ) -> RealServer {
        var port = server.port
        if case .address(_, _, let virtual) = key,
            port == nil || (!method.isTranslating && command != "-d")
        {
            port = virtual
        }
        return RealServer(
            address: server.address, port: port ?? 0, method: method, weight: weight,
            upperThreshold: upper, lowerThreshold: lower, tunnel: tunnelKind)
    }

    private var tunnelKind: TunnelKind {
        switch tunnel.type {
        case "gue": .gue(port: tunnel.port, flags: tunnel.flags)
        case "gre": .gre(flags: tunnel.flags)
        default: .ipip
        }
    }

    private mutating func next() throws(RuleLineError) -> String {
        guard let word = words.popFirst() else { throw .unknown("end of line") }
        return word
    }

    private func number<N: FixedWidthInteger>(
        _ word: String, as type: N.Type
    ) throws(RuleLineError) -> N {
        guard let value = N(word) else { throw .unknown(word) }
        return value
    }

    private func schedulerFlags(_ list: String) throws(RuleLineError) -> ServiceFlags {
        var flags: ServiceFlags = []
        for word in list.split(separator: ",") {
            switch word {
            case "sh-fallback", "mh-fallback": flags.insert(.schedulerFlag1)
            case "sh-port", "mh-port": flags.insert(.schedulerFlag2)
            default: throw .unknown(String(word))
            }
        }
        return flags
    }

    private func endpoint(
        _ word: String
    ) throws(RuleLineError) -> (address: IPAddress, port: UInt16?) {
        if word.hasPrefix("["), let end = word.firstIndex(of: "]") {
            guard let address = IPAddress(dotted: word[..<end].dropFirst()) else {
                throw .unknown(word)
            }
            return (address, UInt16(word[end...].dropFirst(2)))
        }
        let parts = word.split(separator: ":")
        guard let first = parts.first, let address = IPAddress(dotted: first) else {
            throw .unknown(word)
        }
        return (address, parts.count > 1 ? UInt16(parts[1]) : nil)
    }

    private func service(
        _ transport: TransportProtocol, _ word: String
    ) throws(RuleLineError) -> ServiceKey {
        let (address, port) = try endpoint(word)
        return .address(transport, address, port: port ?? 0)
    }
}
