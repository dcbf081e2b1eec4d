import LVS

/// The texts that a kernel director shows under /proc/net (ipvs-semantics 4.9, 8.3).
enum ProcText {
    static let connectionHeader =
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"

    /// Of `ip_vs_conn_sync`, which says where connections came from.
    static let originHeader =
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n"

    /// One line of `ip_vs_conn`.
    static func line(_ connection: ConnectionRecord) -> String {
        let engine = connection.engine.map { " " + $0 } ?? ""
        return "\(flow(connection)) \(expiry(connection))\(engine)\n"
    }

    /// One line of `ip_vs_conn_sync`; no connection comes from another director.
    static func lineWithOrigin(_ connection: ConnectionRecord) -> String {
        "\(flow(connection)) LOCAL  \(expiry(connection))\n"
    }

    private static func flow(_ connection: ConnectionRecord) -> String {
        let name = transportName(connection.transport).padded(3)
        let client = "\(hexadecimal(connection.client)) \(hexadecimal(connection.clientPort))"
        let virtual = "\(hexadecimal(connection.virtual)) \(hexadecimal(connection.virtualPort))"
        let real = "\(hexadecimal(connection.real)) \(hexadecimal(connection.realPort))"
        return "\(name) \(client) \(virtual) \(real) \(connection.state.padded(11))"
    }

    private static func expiry(_ connection: ConnectionRecord) -> String {
        String(connection.expiresSeconds).aligned(7)
    }

    /// The whole of `ip_vs`.
    static func services(_ target: any ControlTarget) -> String {
        var text = """
            IP Virtual Server version 1.2.1 (size=\(target.tableSize))
            Prot LocalAddress:Port Scheduler Flags
              -> RemoteAddress:Port Forward Weight ActiveConn InActConn

            """
        for service in target.services() {
            text += line(service)
            guard let key = service.key else { continue }
            for server in target.destinations(of: key) { text += line(server) }
        }
        return text
    }

    /// The whole of `ip_vs_stats`; every number is hexadecimal.
    static func statistics(_ total: StatisticsRecord) -> String {
        let counts = [
            hexadecimal(total.connections, 8), hexadecimal(total.inPackets, 8),
            hexadecimal(total.outPackets, 8), hexadecimal(total.inBytes, 16),
            hexadecimal(total.outBytes, 16),
        ]
        let rates = [
            hexadecimal(total.connectionsPerSecond, 8), hexadecimal(total.inPacketsPerSecond, 8),
            hexadecimal(total.outPacketsPerSecond, 8), hexadecimal(total.inBytesPerSecond, 16),
            hexadecimal(total.outBytesPerSecond, 16),
        ]
        return """
               Total Incoming Outgoing         Incoming         Outgoing
               Conns  Packets  Packets            Bytes            Bytes
            \(counts.joined(separator: " "))

             Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
            \(rates.joined(separator: " "))

            """
    }

    /// Ticks a second in which the kernel's `ip_vs` shows timeouts, as Debian's kernel has them.
    private static let ticksPerSecond: UInt64 = 250

    private static func line(_ service: ServiceRecord) -> String {
        let onePacket = service.flags.contains(.onePacket) ? "ops " : ""
        var text: String
        switch service.identity {
        case .mark(let mark):
            text = "FWM  \(digits(UInt64(mark), 8)) \(service.scheduler) \(onePacket)"
        case .endpoint(let transport, let address, let port):
            let name = transportName(UInt8(truncatingIfNeeded: transport))
            text = "\(name)  \(bracketed(address)):\(hexadecimal(port)) \(service.scheduler) "
            if service.family == .v4 { text += onePacket + " " }
        }
        if service.flags.contains(.persistent) {
            let ticks = UInt64(service.timeoutSeconds) * ticksPerSecond
            text += "persistent \(ticks) \(digits(UInt64(service.netmask), 8))"
        }
        return text + "\n"
    }

    private static func line(_ server: DestinationRecord) -> String {
        let methods = ["Masq", "Local", "Tunnel", "Route"]
        let method =
            methods.indices.contains(Int(server.method)) ? methods[Int(server.method)] : "Masq"
        let counts = [
            String(server.weight).padded(6), String(server.activeConnections).padded(10),
            String(server.inactiveConnections).padded(10),
        ]
        return "  -> \(bracketed(server.address)):\(hexadecimal(server.port))      "
            + "\(method.padded(7)) \(counts.joined(separator: " "))\n"
    }

    private static func transportName(_ number: UInt8) -> String {
        switch number {
        case 0: "IP"
        case 1: "ICMP"
        case 6: "TCP"
        case 17: "UDP"
        case 50: "ESP"
        case 51: "AH"
        case 58: "ICMPv6"
        case 132: "SCTP"
        default: "IP_\(number)"
        }
    }

    private static func bracketed(_ address: IPAddress) -> String {
        address.isV4 ? hexadecimal(address) : "[\(hexadecimal(address))]"
    }

    /// IPv4: eight digits; IPv6: eight groups of four.
    private static func hexadecimal(_ address: IPAddress) -> String {
        if address.isV4 { return digits(UInt64(address.v4), 8) }
        return [address.wireHigh, address.low].flatMap { half in
            [48, 32, 16, 0].map { digits(half >> UInt64($0) & 0xffff, 4, uppercase: false) }
        }.joined(separator: ":")
    }

    private static func hexadecimal(_ port: UInt16) -> String { digits(UInt64(port), 4) }

    /// Right-aligned without leading zeros.
    private static func hexadecimal(_ number: UInt64, _ width: Int) -> String {
        String(number, radix: 16, uppercase: true).aligned(width)
    }

    /// With leading zeros.
    private static func digits(_ number: UInt64, _ width: Int, uppercase: Bool = true) -> String {
        let text = String(number, radix: 16, uppercase: uppercase)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}

extension String {
    /// Filled with blanks on the right.
    fileprivate func padded(_ width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - utf8.count))
    }

    /// Filled with blanks on the left.
    fileprivate func aligned(_ width: Int) -> String {
        String(repeating: " ", count: max(0, width - utf8.count)) + self
    }
}
