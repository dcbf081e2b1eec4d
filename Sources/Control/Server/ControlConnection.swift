import LVS
import Posix

/// One client of the control socket: moves packets between its socket and its conversation.
final class ControlConnection {
    /// The client's number.
    let client: UInt64
    private let socket: FileDescriptor
    private var conversation: Conversation
    /// A packet that the socket would not take yet.
    private var waiting: [UInt8]?
    private var lastProgress: Instant

    /// Packets served in one call, so that one client cannot keep the housekeeper from the others.
    private static let packetsPerTurn = 64

    init(
        _ socket: consuming FileDescriptor, _ conversation: Conversation, client: UInt64,
        now: Instant
    ) {
        self.client = client
        self.socket = socket
        self.conversation = conversation
        lastProgress = now
    }

    /// Whether there is an answer to send, for which no request is read.
    private(set) var isWriting = false

    /// Reads requests and sends answers until the socket is empty, or full, or the turn is over;
    /// false when the connection is at its end.
    ///
    /// `buffer` is where packets arrive, for all connections; a longer one ends its connection.
    func serve(now: Instant, buffer: inout [UInt8]) -> Bool {
        for _ in 0..<Self.packetsPerTurn {
            if let packet = waiting ?? conversation.nextPacket() {
                isWriting = true
                waiting = packet
                do throws(SystemError) {
                    try UnixSocket.send(packet, on: socket)
                } catch {
                    return error.wouldBlock
                }
                waiting = nil
                lastProgress = now
            } else {
                isWriting = false
                guard let goesOn = read(now, &buffer) else { return false }
                if !goesOn { return true }
            }
        }
        // The turn may have ended with a request that was read and not looked at, and nothing but that
        // the socket can be written to would wake us for it.
        isWriting = true
        return true
    }

    /// Takes one packet of requests: true when there was one, false when none waits, nil when the
    /// client is gone.
    private func read(_ now: Instant, _ buffer: inout [UInt8]) -> Bool? {
        do throws(SystemError) {
            guard let packet = try UnixSocket.receive(from: socket, by: &buffer) else {
                return nil
            }
            conversation.receive(packet)
            lastProgress = now
            return true
        } catch {
            return error.wouldBlock ? false : nil
        }
    }

    /// Whether the client has left an answer unread for this long.
    func isStalled(now: Instant, seconds: UInt64) -> Bool {
        isWriting && lastProgress.advanced(bySeconds: seconds) <= now
    }
}
