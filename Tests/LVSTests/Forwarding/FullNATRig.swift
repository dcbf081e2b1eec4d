import LVS
import TestKit

/// One service whose server sees a local address, and TCP segments of both ends.
@safe
final class FullNATRig {
    static let local = IPAddress(v4: 0x0a02_0064)
    static let clientPort: UInt16 = 4000

    let forwarding: ForwardingRig
    /// Whether senders leave checksums to the card, as on a veth cable.
    let isPartial: Bool

    init(
        isPartial: Bool = false, locals: [IPAddress] = [FullNATRig.local],
        _ change: (inout FullNATOptions) -> Void = { _ in }
    ) throws {
        self.isPartial = isPartial
        forwarding = try ForwardingRig(method: .fullNAT)
        var service = VirtualService(key: FullNATRig.key, scheduler: "rr")
        change(&service.fullNAT)
        try forwarding.rig.director.edit(service)
        for local in locals { try forwarding.rig.director.addLocal(local, to: FullNATRig.key) }
    }

    static let key = ServiceKey.address(.tcp, ForwardingRig.virtual, port: 80)

    /// A segment as one side sends it or as the other gets it.
    struct Segment: Hashable, CustomStringConvertible {
        var flags: UInt8
        var sequence: UInt32
        var acknowledged: UInt32 = 0
        var options: [UInt8] = []
        var payload: [UInt8] = []
        /// Source and destination port, in front of them the addresses' last bytes.
        var ends: [UInt16] = []

        var description: String {
            "flags \(flags) sequence \(sequence) acknowledged \(acknowledged) options \(options) "
                + "payload \(payload.count) bytes \(payload.prefix(32))"
        }

        func packet(from source: UInt16, to destination: UInt16) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(be16: source)
            bytes.append(be16: destination)
            bytes.append(be32: sequence)
            bytes.append(be32: acknowledged)
            bytes += [UInt8(5 + options.count / 4) << 4, flags, 0xfa, 0xf0, 0, 0, 0, 0]
            return bytes + options + payload
        }

        init(
            _ flags: UInt8, _ sequence: UInt32, _ acknowledged: UInt32 = 0,
            options: [UInt8] = [], _ payload: [UInt8] = []
        ) {
            self.flags = flags
            self.sequence = sequence
            self.acknowledged = acknowledged
            self.options = options
            self.payload = payload
        }

        /// The segment of an Ethernet frame with an IPv4 packet without options.
        init(_ frame: [UInt8]) {
            let header = 34 + Int(frame[46] >> 4) * 4
            flags = frame[47]
            sequence = frame.be32(38)
            acknowledged = frame.be32(42)
            options = Array(frame[54..<header])
            payload = Array(frame[header..<14 + Int(frame.be16(16))])
            ends = [frame.be16(28), frame.be16(34), frame.be16(32), frame.be16(36)]
        }
    }

    /// The segments the server gets for one of the client's, whose sums are right.
    func request(
        _ segment: Segment, port: UInt16 = FullNATRig.clientPort, headroom: Int = 128
    ) -> [Segment] {
        let frame = forwarding.builder.frame(
            transport: 6, checksumAt: 16, segment.packet(from: port, to: 80))
        return deliver(frame, on: 0, headroom: headroom)
    }

    /// The segments the client gets for one of the server's, whose sums are right.
    func answer(_ segment: Segment, port: UInt16 = FullNATRig.clientPort) -> [Segment] {
        var builder = forwarding.reply
        builder.destination = FullNATRig.local
        return deliver(
            builder.frame(transport: 6, checksumAt: 16, segment.packet(from: 80, to: port)),
            on: 1, headroom: 128)
    }

    private func deliver(_ bytes: [UInt8], on port: PortIndex, headroom: Int) -> [Segment] {
        var frame = bytes
        if isPartial { frame.set(50, be16: frame.pseudoHeaderSum()) }
        let (_, sent) = forwarding.send(frame, on: port, headroom: headroom) { frame in
            guard isPartial else { return }
            frame.checksum = .partial
            frame.checksumStart = 34
            frame.checksumOffset = 16
        }
        return sent.map { sent in
            var whole = sent
            // What is left to the card holds the sum of the pseudo-header, lengths included.
            if isPartial, sent.be16(50) == sent.pseudoHeaderSum() {
                whole.fillTransportChecksum(at: 50)
            }
            var segment = Segment(whole)
            if !whole.hasRightHeader || !whole.hasRightTransport { segment.flags = 0xff }
            return segment
        }
    }

    /// Opens a connection; the client's numbers begin with 1000, the server's with 5000.
    ///
    /// Returns the SYN as the server got it and the SYN-ACK as the client did.
    func open(
        port: UInt16 = FullNATRig.clientPort, options: [UInt8] = []
    ) -> (request: Segment?, answer: Segment?) {
        guard let syn = request(Segment(2, 1000, options: options), port: port).first else {
            return (nil, nil)
        }
        let agreed = Segment(0x12, 5000, syn.sequence &+ 1, options: [2, 4, 0x05, 0xb4])
        return (syn, answer(agreed, port: port).first)
    }
}
