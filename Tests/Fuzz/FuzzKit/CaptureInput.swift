import Instruments
import LVS
import Posix

/// A byte that says how many bytes come at once, and a capture file.
///
/// What is read is made into frames, written in both formats, and read again: the same must come back.
/// Its connections, if it has some, must be such that a simulation can play them.
enum CaptureInput {
    /// What must come back of a packet.
    private struct Kept: Equatable {
        var bytes: [UInt8]
        var length: UInt32
        var time: Int64
        var interface: Int
        var direction: CapturedPacket.Direction
        var comment: String?
    }

    /// So many packets are written again.
    private static let mostPackets = 64

    static func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let piece = first == 0 ? Int.max : Int(first)
        gather(Array(input.dropFirst()), piece)
        guard let reader = open(Array(input.dropFirst()), piece) else { return }
        var kept: [Kept] = []
        var packets: UInt64 = 0
        while let packet = reader.next() {
            precondition(packet.number > packets, "numbers rise")
            packets = packet.number
            precondition(unsafe packet.bytes.count <= Int(packet.length), "no more than there was")
            frame(packet, reader.interfaces[packet.interface])
            guard kept.count < mostPackets else { continue }
            kept.append(
                Kept(
                    bytes: unsafe Array(packet.bytes), length: packet.length, time: packet.time,
                    interface: packet.interface, direction: packet.direction,
                    comment: reader.comment))
        }
        precondition(reader.bytesRead <= UInt64(input.count), "no more is read than there is")
        precondition(reader.remarks.kept.count <= 8 * CaptureRemark.Kind.allCases.count)
        guard !reader.interfaces.isEmpty else { return }
        write(kept, reader.interfaces)
    }

    private static func open(_ bytes: [UInt8], _ piece: Int) -> CaptureReader? {
        var rest = bytes[...]
        return try? unsafe CaptureReader(name: "input", totalBytes: nil) {
            buffer throws(SystemError) in
            let count = min(buffer.count, rest.count, piece)
            unsafe buffer.copyBytes(from: rest.prefix(count))
            rest = rest.dropFirst(count)
            return count
        }
    }

    private static func gather(_ file: [UInt8], _ piece: Int) {
        let most = 16
        guard let reader = open(file, piece),
            let load = try? CapturedLoad(MergedCapture(reader), most: most)
        else { return }
        precondition((1...most).contains(load.connections.count), "some, and not too many")
        precondition((0...CapturedLoad.longest).contains(load.length), "a day at most")
        var last: Int64 = 0
        for connection in load.connections {
            precondition(connection.time >= last, "in the order of their times")
            precondition((connection.time...load.length).contains(connection.end), "lengths")
            precondition(load.clients.indices.contains(Int(connection.client)), "a client each")
            last = connection.time
        }
    }

    private static func frame(_ packet: CapturedPacket, _ interface: CaptureInterface) {
        let capacity = 2048
        let memory = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
        defer { unsafe memory.deallocate() }
        for takingTag in [false, true] {
            let outcome = unsafe LinkLayer.frame(
                of: packet, on: LinkLayer.Link(interface), into: memory, capacity: capacity,
                hardware: (HardwareAddress(value: 1), HardwareAddress(value: 2)),
                takingTag: takingTag)
            guard case .frame(let shape) = outcome else { continue }
            precondition(shape.length >= 14 && shape.length <= capacity, "\(shape)")
            precondition(shape.fullLength >= shape.length, "\(shape)")
        }
    }

    private static func write(_ kept: [Kept], _ interfaces: [CaptureInterface]) {
        for format in [CaptureWriter.Format.pcap, .pcapng] {
            var file: [UInt8] = []
            let writer = try? unsafe CaptureWriter(
                name: "output", format: format, interfaces: [interfaces[0]]
            ) { bytes throws(SystemError) in
                let count = min(bytes.count, 777)
                unsafe file += bytes.prefix(count)
                return count
            }
            // Of several link types a pcap file cannot be.
            guard let writer,
                interfaces.dropFirst().allSatisfy({ (try? writer.add($0)) != nil })
            else { continue }
            for packet in kept {
                unsafe packet.bytes.withUnsafeBytes { bytes in
                    _ = try? unsafe writer.write(
                        bytes, length: packet.length, time: packet.time,
                        interface: packet.interface, direction: packet.direction,
                        comment: packet.comment)
                }
            }
            try? writer.close()
            compare(kept, file, format)
        }
    }

    private static func compare(_ kept: [Kept], _ file: [UInt8], _ format: CaptureWriter.Format) {
        guard let reader = open(file, .max) else { preconditionFailure("\(format) cannot be read") }
        for wanted in kept {
            guard let packet = reader.next() else {
                preconditionFailure("\(format): one is missing")
            }
            precondition(unsafe Array(packet.bytes) == wanted.bytes, "\(format): bytes")
            precondition(packet.length == wanted.length, "\(format): length")
            if format == .pcapng {
                precondition(packet.time == max(0, wanted.time), "time")
                precondition(packet.direction == wanted.direction, "direction")
                precondition(reader.comment?.utf8.count ?? -1 <= wanted.comment?.utf8.count ?? -1)
            } else if (0..<4_294_967_296_000_000_000).contains(wanted.time) {
                precondition(packet.time == wanted.time, "time")
            }
        }
        precondition(reader.next() == nil, "\(format): one too many")
        for kind in CaptureRemark.Kind.allCases where kind.isLoss {
            precondition(reader.remarks.count(kind) == 0, "\(format): \(reader.remarks.lines)")
        }
    }
}
