package import LVS

/// Which local port the director chose where the recording has another.
///
/// A recording with FULLNAT leaves the choice of ports free; what has to hold is that each recorded
/// port has one of the director's own, and that the director knows it again in the server's answers.
package struct LocalPortMap {
    /// What a recorded port is local to: a server's endpoint and a transport.
    private struct Peer: Hashable, Sendable {
        var transport: UInt8
        var server: [UInt8]
        var port: UInt16
    }

    private let locals: Set<[UInt8]>
    private var chosen: [Peer: [UInt16: UInt16]] = [:]

    /// Knows the local addresses of a scenario.
    package init(_ locals: [IPAddress]) {
        self.locals = Set(locals.map { $0.isV4 ? Array($0.wireBytes.suffix(4)) : $0.wireBytes })
    }

    /// Where a frame has its addresses and ports; nil for a frame without ports.
    private static func fields(
        _ frame: [UInt8]
    ) -> (transport: UInt8, source: Range<Int>, destination: Range<Int>, ports: Int)? {
        guard frame.count >= 34, frame.be16(12) == 0x0800 || frame.isIPv6 else { return nil }
        let (start, number) = frame.transport()
        guard number == 6 || number == 17, frame.count >= start + 8 else { return nil }
        return frame.isIPv6
            ? (number, 22..<38, 38..<54, start) : (number, 26..<30, 30..<34, start)
    }

    /// What the recorded frame is with the director's choice in it, which `actual` shows; a line that
    /// says so when the choice contradicts an earlier one.
    package mutating func expected(
        _ recorded: [UInt8], seeing actual: [UInt8]
    ) -> (frame: [UInt8], contradiction: String?) {
        guard let fields = Self.fields(recorded), Self.fields(actual) != nil,
            locals.contains(Array(recorded[fields.source]))
        else { return (recorded, nil) }
        let peer = Peer(
            transport: fields.transport, server: Array(recorded[fields.destination]),
            port: recorded.be16(fields.ports + 2))
        let (old, new) = (recorded.be16(fields.ports), actual.be16(fields.ports))
        if let known = chosen[peer]?[old], known != new {
            return (recorded, "local port \(new), where this connection had \(known) before")
        }
        if let other = chosen[peer]?.first(where: { $0.key != old && $0.value == new }) {
            return (recorded, "local port \(new) is another connection's, recorded as \(other.key)")
        }
        chosen[peer, default: [:]][old] = new
        return (Self.changed(recorded, at: fields.ports, to: new, fields.transport), nil)
    }

    /// The server's recorded answer with the port that the director chose.
    package func answer(_ recorded: [UInt8]) -> [UInt8] {
        guard let fields = Self.fields(recorded),
            locals.contains(Array(recorded[fields.destination]))
        else { return recorded }
        let peer = Peer(
            transport: fields.transport, server: Array(recorded[fields.source]),
            port: recorded.be16(fields.ports))
        guard let new = chosen[peer]?[recorded.be16(fields.ports + 2)] else { return recorded }
        return Self.changed(recorded, at: fields.ports + 2, to: new, fields.transport)
    }

    /// Changes a port, and the checksum by as much.
    private static func changed(
        _ frame: [UInt8], at offset: Int, to port: UInt16, _ transport: UInt8
    ) -> [UInt8] {
        var frame = frame
        let field = frame.transport().start + (transport == 6 ? 16 : 6)
        let old = frame.be16(offset)
        frame.set(offset, be16: port)
        guard transport == 6 || frame.be16(field) != 0 else { return frame }
        var sum = UInt32(~frame.be16(field)) + UInt32(~old) + UInt32(port)
        sum = sum & 0xffff + sum >> 16
        sum = sum & 0xffff + sum >> 16
        frame.set(field, be16: ~UInt16(sum))
        return frame
    }
}
