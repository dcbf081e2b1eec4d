import Posix

/// A client's connection to a director: sends one request, collects its answers.
struct NetlinkTransport: ~Copyable {
    private let socket: FileDescriptor
    private var sequence: UInt32 = 0
    private let port = UInt32(truncatingIfNeeded: Identity.process)

    /// Largest packet of answers a director sends.
    private static let answerBytes = 65536
    private var buffer = [UInt8](repeating: 0, count: NetlinkTransport.answerBytes)

    init(path: String) throws(ControlError) {
        do throws(SystemError) {
            socket = try UnixSocket.connect(path: path)
        } catch {
            throw .unreachable(error)
        }
    }

    /// Requests that were begun and not finished, the oldest first.
    private var begun: ArraySlice<(sequence: UInt32, type: UInt16)> = []
    /// What is left of the last packet.
    private var packet: ArraySlice<UInt8> = []

    /// Sends a request and tells each answer's attributes, until the acknowledgement or the end of
    /// the dump; a refusal is thrown.
    mutating func request(
        _ type: UInt16, _ command: UInt8, dump: Bool = false,
        attributes: (inout NetlinkWriter) -> Void = { _ in },
        answer: (NetlinkAttributes) throws(ControlError) -> Void = { _ throws(ControlError) in }
    ) throws(ControlError) {
        // What nobody has asked about is not waited for any more.
        begun = []
        try begin(type, command, dump: dump, attributes: attributes)
        try finish(answer)
    }

    /// Sends a request without waiting for its answers.
    mutating func begin(
        _ type: UInt16, _ command: UInt8, dump: Bool = false,
        attributes: (inout NetlinkWriter) -> Void = { _ in }
    ) throws(ControlError) {
        sequence &+= 1
        var writer = NetlinkWriter()
        let flags: NetlinkFlags =
            dump ? [.request, .acknowledge, .dump] : [.request, .acknowledge]
        writer.message(type, flags, sequence: sequence, port: port) { writer in
            writer.generic(command)
            attributes(&writer)
        }
        do throws(SystemError) {
            try UnixSocket.send(writer.bytes, on: socket)
        } catch {
            throw .broken(error)
        }
        begun.append((sequence, type))
    }

    /// Takes the answers to the oldest request that was begun.
    mutating func finish(
        _ answer: (NetlinkAttributes) throws(ControlError) -> Void = { _ throws(ControlError) in }
    ) throws(ControlError) {
        guard let (sequence, type) = begun.popFirst() else { return }
        while true {
            while let message = NetlinkMessage(takingFrom: &packet) {
                guard message.sequence == sequence else { continue }
                if try take(message, type, answer) { return }
            }
            guard packet.isEmpty else { throw .garbled("a packet ends in the middle of a message") }
            packet = try receive()[...]
        }
    }

    private mutating func receive() throws(ControlError) -> [UInt8] {
        do throws(SystemError) {
            guard let packet = try UnixSocket.receive(from: socket, by: &buffer) else {
                throw SystemError(
                    "the director closed the connection",
                    code: ErrorNumber.connectionReset.rawValue)
            }
            return packet
        } catch {
            throw .broken(error)
        }
    }

    /// Takes one message; true when it was the last of the answer.
    private func take(
        _ message: NetlinkMessage, _ type: UInt16,
        _ answer: (NetlinkAttributes) throws(ControlError) -> Void
    ) throws(ControlError) -> Bool {
        switch message.type {
        case NetlinkType.done:
            return true
        case NetlinkType.error:
            guard let code: Int32 = message.body.number(at: 0), code <= 0, code != .min else {
                throw .garbled("an error message without an error number")
            }
            if code == 0 { return true }
            throw .refused(Refusal(ErrorNumber(rawValue: -code), Self.text(of: message)))
        case type:
            try answer(message.attributes)
            return false
        default:
            throw .garbled("an answer of type \(message.type) to a request of type \(type)")
        }
    }

    /// The sentence of an extended acknowledgement, behind the repeated request.
    private static func text(of message: NetlinkMessage) -> String? {
        guard message.flags.contains(.explained) else { return nil }
        let request = message.body.dropFirst(4)
        guard let size: UInt32 = request.number(at: 0) else { return nil }
        let repeated = message.flags.contains(.capped) ? NetlinkMessage.headerBytes : Int(size)
        let attributes = NetlinkAttributes(request.dropFirst((repeated + 3) & ~3))
        return try? attributes.text(AttributeNumber.Explanation.text, longest: 4095)
    }
}
