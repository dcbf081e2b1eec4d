import LVS

/// The texts that a kernel director shows under /proc/net (ipvs-semantics 4.9, 8.3).
enum ProcText {
    static let connectionHeader =
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"

    /// Of `ip_vs_conn_sync`, which says where connections came from.
    static let originHeader =
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n"

    /// Appends one line of `ip_vs_conn`, byte by byte: a table may have millions of them.
    static func append(_ connection: ConnectionRecord, to bytes: inout [UInt8]) {
        flow(connection, &bytes)
        expiry(connection, &bytes)
        if let engine = connection.engine {
            bytes.append(0x20)
            bytes.append(contentsOf: engine.utf8)
        }
        bytes.append(0x0a)
    }

    /// Appends one line of `ip_vs_conn_sync`.
    static func appendWithOrigin(
        _ connection: ConnectionRecord, to bytes: inout [UInt8]
    ) {
        flow(connection, &bytes)
        pad(connection.isSynchronised ? "SYNC" : "LOCAL", to: 6, &bytes)
        bytes.append(0x20)
        expiry(connection, &bytes)
        bytes.append(0x0a)
    }

    /// Of the director's own `connections`, which also says what servers take for the client.
    static let localHeader =
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires LocalIP  LPrt "
        + "PEName PEData\n"

    /// Appends one line of `connections`; hyphens where there is no FULLNAT.
    static func appendWithLocal(_ connection: ConnectionRecord, to bytes: inout [UInt8]) {
        flow(connection, &bytes)
        expiry(connection, &bytes)
        bytes.append(0x20)
        if let local = connection.local {
            endpoint(local.address, local.port, &bytes)
        } else {
            bytes.append(contentsOf: "- - ".utf8)
        }
        if let engine = connection.engine { bytes.append(contentsOf: engine.utf8) }
        bytes.append(0x0a)
    }

    /// Protocol, addresses and state, with a blank behind.
    private static func flow(_ connection: ConnectionRecord, _ bytes: inout [UInt8]) {
        pad(transportName(connection.transport), to: 3, &bytes)
        bytes.append(0x20)
        endpoint(connection.client, connection.clientPort, &bytes)
        endpoint(connection.virtual, connection.virtualPort, &bytes)
        endpoint(connection.real, connection.realPort, &bytes)
        pad(connection.state, to: 11, &bytes)
        bytes.append(0x20)
    }

    private static func expiry(_ connection: ConnectionRecord, _ bytes: inout [UInt8]) {
        var limit: UInt64 = 10
        for _ in 0..<6 {
            if connection.expiresSeconds < limit { bytes.append(0x20) }
            limit *= 10
        }
        decimal(connection.expiresSeconds, &bytes)
    }

    /// Address and port, each with a blank behind.
    private static func endpoint(
        _ address: IPAddress, _ port: UInt16, _ bytes: inout [UInt8]
    ) {
        if address.isV4 {
            hexadecimal(UInt64(address.v4), digits: 8, 0x37, &bytes)
        } else {
            for half in [address.wireHigh, address.low] {
                for shift in [48, 32, 16, 0] as [UInt64] {
                    if bytes.last != 0x20 { bytes.append(0x3a) }
                    hexadecimal(half >> shift & 0xffff, digits: 4, 0x57, &bytes)
                }
            }
        }
        bytes.append(0x20)
        hexadecimal(UInt64(port), digits: 4, 0x37, &bytes)
        bytes.append(0x20)
    }

    /// Digits above nine begin at `letters` + 10: 0x37 for capitals, 0x57 for small letters.
    private static func hexadecimal(
        _ value: UInt64, digits: Int, _ letters: UInt8, _ bytes: inout [UInt8]
    ) {
        for digit in (0..<digits).reversed() {
            let nibble = UInt8(value >> UInt64(digit * 4) & 15)
            bytes.append(nibble < 10 ? 0x30 + nibble : letters + nibble)
        }
    }

    private static func decimal(_ value: UInt64, _ bytes: inout [UInt8]) {
        if value >= 10 { decimal(value / 10, &bytes) }
        bytes.append(0x30 + UInt8(value % 10))
    }

    private static func pad(_ text: String, to width: Int, _ bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(contentsOf: text.utf8)
        for _ in 0..<max(0, width - (bytes.count - start)) { bytes.append(0x20) }
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
