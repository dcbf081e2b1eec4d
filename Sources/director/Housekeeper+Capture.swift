import Control
import Instruments
import LVS
import Posix

/// A capture that a client of the control socket has begun.
struct ClientCapture {
    /// Nanoseconds after which a client that asks for nothing has its capture ended.
    static let patience: UInt64 = 30_000_000_000

    /// The client's number.
    let client: UInt64
    let capture: LiveCapture
    var askedAt: UInt64
}

extension Housekeeper {
    func beginCapture(
        _ request: CaptureRequest, by client: UInt64
    ) throws(CommandRefusal) {
        guard capturing == nil else {
            throw .invalid("somebody else captures; try again when that has ended")
        }
        if let expected, !expected.isForgotten(at: MonotonicClock.now()) {
            throw .invalid(
                "somebody waits for a packet (explain --next); try again when that has come")
        }
        stopExpecting()
        do {
            let filter = try PacketFilter([request.filter])
            let capture = try LiveCapture(
                of: director,
                LiveCapture.Request(
                    packets: request.packets, bytes: request.bytes, frameBytes: request.snap,
                    filter: filter))
            capturing = ClientCapture(
                client: client, capture: capture, askedAt: MonotonicClock.now())
        } catch {
            throw .invalid("\(error)")
        }
    }

    func captured(by client: UInt64) throws(CommandRefusal) -> () -> [UInt8]? {
        let capture = try capture(of: client)
        let time = MonotonicClock.now()
        capturing?.askedAt = time
        capture.collect(now: Instant(nanoseconds: time))
        return { capture.next() }
    }

    func captureState(of client: UInt64) throws(CommandRefusal) -> CaptureState {
        let capture = try capture(of: client)
        return CaptureState(
            packets: UInt64(capture.packets), frames: UInt64(capture.frames),
            bytes: capture.bytes, lost: capture.lost,
            end: capture.end.flatMap { CaptureState.End(rawValue: $0.rawValue) })
    }

    func stopCapture(of client: UInt64) throws(CommandRefusal) {
        try capture(of: client).stop()
    }

    func forget(client: UInt64) {
        guard capturing?.client == client else { return }
        capturing?.capture.stop()
        capturing = nil
    }

    /// Ends a capture that its client asks nothing about any more.
    func forgetCapture() {
        guard let capturing,
            MonotonicClock.now() > capturing.askedAt + ClientCapture.patience
        else { return }
        forget(client: capturing.client)
    }

    private func capture(of client: UInt64) throws(CommandRefusal) -> LiveCapture {
        guard let capturing, capturing.client == client else {
            throw .invalid(
                "there is no capture of this connection's; 'start' begins one, and one that is not"
                    + " read for \(ClientCapture.patience / 1_000_000_000) seconds is ended")
        }
        return capturing.capture
    }
}
