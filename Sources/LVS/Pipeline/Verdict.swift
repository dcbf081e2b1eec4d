/// What becomes of a frame, in four bytes.
package struct Verdict: Hashable, Sendable {
    /// Which of the four kinds a verdict is.
    package enum Kind: UInt8, Sendable {
        /// None of the director's business, or handed to the host (IPVS says ACCEPT).
        case pass = 0
        /// Leaves by a port.
        case send = 1
        /// The engine keeps or has used up the frame; nothing is to be done with it.
        case consumed = 2
        /// Ends here for a counted reason.
        case drop = 3
    }

    package var kind: Kind
    private var flag: UInt8
    private var detail: UInt16

    private init(kind: Kind, flag: UInt8 = 0, detail: UInt16 = 0) {
        self.kind = kind
        self.flag = flag
        self.detail = detail
    }

    /// The host's stack has the frame already (it was only watched).
    package static let pass = Verdict(kind: .pass)
    /// The host shall have the frame, but the ingress block (or a redirect) has kept it from it: it
    /// goes through the host door.
    package static let passThroughDoor = Verdict(kind: .pass, flag: 1)
    package static let consumed = Verdict(kind: .consumed)

    /// Sends the frame as it now stands.
    package static func send(_ port: PortIndex) -> Verdict { Verdict(kind: .send, detail: port) }

    package static func drop(_ reason: DropReason) -> Verdict {
        Verdict(kind: .drop, detail: UInt16(reason.rawValue))
    }

    package var usesDoor: Bool { flag & 1 != 0 }
    /// Egress of a `.send`.
    package var port: PortIndex { detail }
    /// Reason of a `.drop`; nil for the other kinds.
    package var reason: DropReason? { kind == .drop ? DropReason(rawValue: UInt8(detail)) : nil }
}
