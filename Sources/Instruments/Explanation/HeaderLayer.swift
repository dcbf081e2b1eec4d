internal import LVS

/// One header of a frame as people read it: names and values in the order of the wire.
struct HeaderLayer: Hashable {
    struct Field: Hashable {
        var name: String
        var value: String
    }

    /// `Ethernet`, `IPv4`, `TCP`; what a tunnel puts in front begins with `outer`, what an ICMP error
    /// quotes with `quoted`.
    var name: String
    var fields: [Field] = []

    mutating func add(_ name: String, _ value: (some CustomStringConvertible)?) {
        if let value { fields.append(Field(name: name, value: value.description)) }
    }

    /// The headers of a frame as far as they are whole; `guePorts` are where GUE tunnels lead to.
    static func layers(of frame: [UInt8], guePorts: Set<UInt16> = []) -> [HeaderLayer] {
        var reader = HeaderReader(frame, guePorts: guePorts)
        reader.readEthernet()
        return reader.layers
    }
}

/// Takes a frame apart for `HeaderLayer`; whatever is cut short ends it.
private struct HeaderReader {
    private let bytes: [UInt8]
    private let guePorts: Set<UInt16>
    private(set) var layers: [HeaderLayer] = []
    /// Headers within headers that are followed.
    private var depth = 0
    private var prefix = ""

    init(_ bytes: [UInt8], guePorts: Set<UInt16>) {
        self.bytes = bytes
        self.guePorts = guePorts
    }

    private func byte(_ at: Int) -> UInt8? { at < bytes.count ? bytes[at] : nil }

    private func be16(_ at: Int) -> UInt16? {
        at + 2 <= bytes.count ? UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) : nil
    }

    private func be32(_ at: Int) -> UInt32? {
        be16(at + 2).flatMap { low in be16(at).map { UInt32($0) << 16 | UInt32(low) } }
    }

    private func be64(_ at: Int) -> UInt64? {
        be32(at + 4).flatMap { low in be32(at).map { UInt64($0) << 32 | UInt64(low) } }
    }

    private func hardware(_ at: Int) -> HardwareAddress? {
        be32(at + 2).flatMap { low in
            be16(at).map { HardwareAddress(value: UInt64($0) << 32 | UInt64(low)) }
        }
    }

    private func wide(_ at: Int) -> IPAddress? {
        be64(at + 8).flatMap { low in
            be64(at).map { IPAddress(wireHigh: $0, low: low) }
        }
    }

    private static func hex(_ value: some FixedWidthInteger) -> String {
        let digits = String(value, radix: 16)
        return "0x" + String(repeating: "0", count: value.bitWidth / 4 - digits.count) + digits
    }

    // MARK: Link

    mutating func readEthernet() {
        guard bytes.count >= 14, var type = be16(12) else { return }
        var layer = HeaderLayer(name: "Ethernet")
        layer.add("destination", hardware(0))
        layer.add("source", hardware(6))
        layers.append(layer)
        var at = 14
        while type == 0x8100 || type == 0x88a8, at < 22, let tag = be16(at),
            let inner = be16(at + 2)
        {
            var layer = HeaderLayer(name: type == 0x8100 ? "VLAN" : "service VLAN")
            layer.add("identifier", tag & 0xfff)
            layers.append(layer)
            type = inner
            at += 4
        }
        switch type {
        case 0x0800, 0x86dd: readIP(at)
        default:
            var layer = HeaderLayer(name: type == 0x0806 ? "ARP" : "payload")
            layer.add("type", Self.hex(type))
            layers.append(layer)
        }
    }

    // MARK: Network

    private mutating func readIP(_ at: Int) {
        depth += 1
        guard depth <= 4, let first = byte(at) else { return }
        if first >> 4 == 4 { readIPv4(at, headerBytes: Int(first & 15) * 4) }
        if first >> 4 == 6 { readIPv6(at) }
    }

    private mutating func readIPv4(_ at: Int, headerBytes: Int) {
        guard at + 20 <= bytes.count, headerBytes >= 20, let total = be16(at + 2),
            let fragment = be16(at + 6), let number = byte(at + 9)
        else { return }
        var layer = HeaderLayer(name: prefix + "IPv4")
        layer.add("source", be32(at + 12).map { IPAddress(v4: $0) })
        layer.add("destination", be32(at + 16).map { IPAddress(v4: $0) })
        layer.add("TTL", byte(at + 8))
        if let service = byte(at + 1), service != 0 { layer.add("TOS", Self.hex(service)) }
        layer.add("length", total)
        layer.add("identification", be16(at + 4).map(Self.hex))
        layer.add("fragment", Self.fragment(fragment))
        if headerBytes > 20 { layer.add("options", "\(headerBytes - 20) bytes") }
        layer.add("checksum", be16(at + 10).map(Self.hex))
        layers.append(layer)
        guard fragment & 0x1fff == 0 else { return }
        readTransport(number, at + headerBytes, end: min(at + Int(total), bytes.count))
    }

    private static func fragment(_ field: UInt16) -> String? {
        if field & 0x3fff == 0 { return field & 0x4000 != 0 ? "DF" : nil }
        return "offset \(Int(field & 0x1fff) * 8)" + (field & 0x2000 != 0 ? ", more follow" : "")
    }

    private mutating func readIPv6(_ at: Int) {
        guard at + 40 <= bytes.count, let word = be32(at), let payload = be16(at + 4),
            var number = byte(at + 6)
        else { return }
        var layer = HeaderLayer(name: prefix + "IPv6")
        layer.add("source", wide(at + 8))
        layer.add("destination", wide(at + 24))
        layer.add("hop limit", byte(at + 7))
        if word >> 20 & 0xff != 0 {
            layer.add("traffic class", Self.hex(UInt8(truncatingIfNeeded: word >> 20)))
        }
        layer.add("payload length", payload)
        var next = at + 40
        let end = min(next + Int(payload), bytes.count)
        var isLater = false
        while [0, 43, 44, 60].contains(number), next + 8 <= end, !isLater {
            if number == 44, let field = be16(next + 2) {
                layer.add(
                    "fragment",
                    "offset \(field & 0xfff8)" + (field & 1 != 0 ? ", more follow" : ""))
                isLater = field & 0xfff8 != 0
            }
            let length = number == 44 ? 8 : (Int(bytes[next + 1]) + 1) * 8
            number = bytes[next]
            next += length
        }
        if next - at > 40 { layer.add("extension headers", "\(next - at - 40) bytes") }
        layers.append(layer)
        if !isLater { readTransport(number, next, end: end) }
    }

    // MARK: Transport

    private mutating func readTransport(_ number: UInt8, _ at: Int, end: Int) {
        switch number {
        case 6: readTCP(at, end)
        case 17: readUDP(at, end)
        case 132: readSCTP(at, end)
        case 1, 58: readICMP(at, end, isIPv6: number == 58)
        case 4, 41:
            nameOuter()
            readIP(at)
        case 47: readGRE(at)
        default:
            var layer = HeaderLayer(
                name: prefix + Words.transport(TransportProtocol(rawValue: number)).uppercased())
            layer.add("payload", "\(max(end - at, 0)) bytes")
            layers.append(layer)
        }
    }

    private mutating func addPorts(_ layer: inout HeaderLayer, _ at: Int) {
        layer.add("source port", be16(at))
        layer.add("destination port", be16(at + 2))
    }

    private mutating func readTCP(_ at: Int, _ end: Int) {
        var layer = HeaderLayer(name: prefix + "TCP")
        addPorts(&layer, at)
        layer.add("sequence", be32(at + 4))
        if let word = be16(at + 12) {
            let flags = UInt8(truncatingIfNeeded: word)
            if flags & 16 != 0 { layer.add("acknowledgement", be32(at + 8)) }
            layer.add("flags", Words.tcpFlags(flags))
            layer.add("window", be16(at + 14))
            layer.add("checksum", be16(at + 16).map(Self.hex))
            let header = Int(word >> 12) * 4
            if header > 20 {
                layer.add("options", options(at + 20, min(at + header, end)))
            }
            addPayload(&layer, at + header, end)
        }
        layers.append(layer)
    }

    /// The TCP options by their names; kinds without a name by their numbers.
    private func options(_ start: Int, _ end: Int) -> String {
        let names: [UInt8: String] = [
            2: "MSS", 3: "window scale", 4: "SACK permitted", 5: "SACK", 8: "timestamps",
            254: "TOA",
        ]
        var (at, found) = (start, [String]())
        while at < end, bytes[at] != 0 {
            guard bytes[at] != 1 else {
                at += 1
                continue
            }
            guard at + 1 < end, bytes[at + 1] >= 2 else { break }
            found.append(names[bytes[at]] ?? "kind \(bytes[at])")
            at += Int(bytes[at + 1])
        }
        return found.isEmpty ? "padding" : found.joined(separator: ", ")
    }

    private mutating func readUDP(_ at: Int, _ end: Int) {
        let isTunnel = be16(at + 2).map(guePorts.contains) ?? false
        if isTunnel { nameOuter() }
        var layer = HeaderLayer(name: isTunnel ? "GUE" : prefix + "UDP")
        addPorts(&layer, at)
        layer.add("length", be16(at + 4))
        layer.add("checksum", be16(at + 6).map(Self.hex))
        guard isTunnel, let first = byte(at + 8) else {
            addPayload(&layer, at + 8, end)
            layers.append(layer)
            return
        }
        layers.append(layer)
        // Version 1 has no header of its own: the packet begins at once.
        readIP(first >> 6 == 1 ? at + 8 : at + 12 + Int(first & 0x1f) * 4)
    }

    private mutating func readSCTP(_ at: Int, _ end: Int) {
        let chunks: [UInt8: String] = [
            0: "DATA", 1: "INIT", 2: "INIT ACK", 3: "SACK", 4: "HEARTBEAT", 5: "HEARTBEAT ACK",
            6: "ABORT", 7: "SHUTDOWN", 8: "SHUTDOWN ACK", 9: "ERROR", 10: "COOKIE ECHO",
            11: "COOKIE ACK", 14: "SHUTDOWN COMPLETE",
        ]
        var layer = HeaderLayer(name: prefix + "SCTP")
        addPorts(&layer, at)
        layer.add("verification tag", be32(at + 4).map(Self.hex))
        layer.add("checksum", be32(at + 8).map(Self.hex))
        if at + 12 < end {
            layer.add("first chunk", byte(at + 12).map { chunks[$0] ?? "type \($0)" })
        }
        layers.append(layer)
    }

    private mutating func readICMP(_ at: Int, _ end: Int, isIPv6: Bool) {
        guard let type = byte(at), let code = byte(at + 1) else { return }
        var layer = HeaderLayer(name: prefix + (isIPv6 ? "ICMPv6" : "ICMP"))
        layer.add("type", "\(type) \(Words.icmp(type, code, isIPv6: isIPv6))")
        layer.add("code", code)
        layer.add("checksum", be16(at + 2).map(Self.hex))
        let isTooBig = isIPv6 ? type == 2 : type == 3 && code == 4
        if isTooBig { layer.add("MTU", isIPv6 ? be32(at + 4) : be16(at + 6).map(UInt32.init)) }
        layers.append(layer)
        let isError = isIPv6 ? type < 128 : [3, 4, 11, 12].contains(type)
        guard isError, prefix.isEmpty else { return }
        prefix = "quoted "
        readIP(at + 8)
    }

    private mutating func readGRE(_ at: Int) {
        guard let flags = be16(at) else { return }
        nameOuter()
        var layer = HeaderLayer(name: "GRE")
        layer.add("flags", Self.hex(flags))
        layer.add("protocol", be16(at + 2).map(Self.hex))
        layers.append(layer)
        let fields = [0x8000, 0x2000, 0x1000].filter { Int(flags) & $0 != 0 }.count
        readIP(at + 4 + fields * 4)
    }

    /// The header read last is a tunnel's.
    private mutating func nameOuter() {
        guard let last = layers.indices.last, prefix.isEmpty else { return }
        layers[last].name = "outer " + layers[last].name
    }

    /// Length of the payload, and its first line where that is text.
    private func addPayload(_ layer: inout HeaderLayer, _ at: Int, _ end: Int) {
        guard at >= 0, at < end else { return }
        let line = bytes[at..<end].prefix(48).prefix { (32..<127).contains($0) }
        let isText = line.count >= 4
        let text = String(decoding: line, as: UTF8.self)
        layer.add("payload", "\(end - at) bytes" + (isText ? " \"\(text)\"" : ""))
    }
}
