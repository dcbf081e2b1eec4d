/// One client's side of the dialect without its socket: packets of requests in, packets of answers
/// out, one at a time.
///
/// Nothing is prepared before it is asked for: a dump is rendered as the client reads it, and the
/// next request waits until the answers to the last one are taken. So a client that does not read
/// costs one packet of memory.
package struct Conversation {
    private let executor: CommandExecutor
    private let privileged: Bool
    private let client: UInt64
    private var requests: ArraySlice<UInt8> = []
    private var ready: ArraySlice<[UInt8]> = []
    private var dump: Dump?

    /// A dump under way.
    private struct Dump {
        var request: NetlinkMessage
        var next: (inout NetlinkWriter) -> Bool
    }

    /// A conversation with the client of this number, which no other has at the time.
    package init(_ executor: CommandExecutor, privileged: Bool, client: UInt64 = 0) {
        self.executor = executor
        self.privileged = privileged
        self.client = client
    }

    /// Fullness at which a packet is sent; with the largest message it stays below 32 KiB.
    private static let packetBytes = 8192
    /// Longest request that an error repeats.
    private static let repeatedBytes = 8192

    /// Takes a packet of requests; the answers to the last one have all been fetched.
    package mutating func receive(_ packet: [UInt8]) { requests = packet[...] }

    /// The next packet for the client; nil when a new packet of requests can be taken.
    package mutating func nextPacket() -> [UInt8]? {
        while true {
            if let packet = ready.popFirst() { return packet }
            if let packet = continueDump() { return packet }
            guard let message = NetlinkMessage(takingFrom: &requests) else {
                requests = []
                return nil
            }
            serve(message)
        }
    }

    private mutating func serve(_ message: NetlinkMessage) {
        do throws(Refusal) {
            switch try executor.answer(message, privileged: privileged, client: client) {
            case .nothing:
                acknowledge(message)
            case .one(let body):
                var writer = NetlinkWriter()
                writer.message(
                    message.type, [], sequence: message.sequence, port: message.port, body)
                ready.append(writer.bytes)
                acknowledge(message)
            case .many(let next):
                dump = Dump(request: message, next: next)
            }
        } catch {
            ready.append(Self.refusal(error, of: message))
        }
    }

    /// Some messages of the dump under way, the last packet ending in DONE.
    private mutating func continueDump() -> [UInt8]? {
        guard let dump else { return nil }
        let request = dump.request
        var writer = NetlinkWriter()
        while writer.bytes.count < Self.packetBytes / 2 {
            // Written apart, since the end shows itself only when no message is left.
            var body = NetlinkWriter()
            let more = dump.next(&body)
            guard more else {
                self.dump = nil
                writer.message(
                    NetlinkType.done, .multi, sequence: request.sequence, port: request.port
                ) { $0.append(UInt32(0)) }
                break
            }
            writer.message(
                request.type, .multi, sequence: request.sequence, port: request.port
            ) { $0.append(raw: body.bytes[...]) }
        }
        return writer.bytes
    }

    private mutating func acknowledge(_ message: NetlinkMessage) {
        guard message.flags.contains(.acknowledge) else { return }
        ready.append(Self.error(0, .capped, message) { _ in })
    }

    /// The error message of a refused request; its text, if any, as an extended acknowledgement.
    static func refusal(_ refusal: Refusal, of message: NetlinkMessage) -> [UInt8] {
        var flags: NetlinkFlags = []
        if message.bytes.count > repeatedBytes { flags.insert(.capped) }
        if refusal.text != nil { flags.insert(.explained) }
        return error(-refusal.number.rawValue, flags, message) { writer in
            guard let text = refusal.text else { return }
            writer.attribute(AttributeNumber.Explanation.text, text)
        }
    }

    private static func error(
        _ code: Int32, _ flags: NetlinkFlags, _ message: NetlinkMessage,
        _ attributes: (inout NetlinkWriter) -> Void
    ) -> [UInt8] {
        var writer = NetlinkWriter()
        writer.message(
            NetlinkType.error, flags, sequence: message.sequence, port: message.port
        ) { writer in
            writer.append(code)
            writer.append(
                raw: flags.contains(.capped)
                    ? message.bytes.prefix(NetlinkMessage.headerBytes) : message.bytes)
            // A request that is repeated is filled up to a multiple of four bytes.
            for _ in 0..<(-writer.bytes.count & 3) { writer.append(UInt8(0)) }
            attributes(&writer)
        }
        return writer.bytes
    }
}
