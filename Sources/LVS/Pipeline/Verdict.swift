/// What becomes of a frame, in four bytes.
///
/// Public, as are ``Frame`` and ``Burst``: drivers are in another module and look at every frame, and
/// the compiler inlines across modules what is public, not what is `package` (Swift 6.3).
public struct Verdict: Hashable, Sendable {
    /// Which of the four kinds a verdict is.
    public enum Kind: UInt8, Sendable {
        /// None of the director's business, or handed to the host (IPVS says ACCEPT).
        case pass = 0
        /// Leaves by a port.
        case send = 1
        /// The engine keeps or has used up the frame; nothing is to be done with it.
        case consumed = 2
        /// Ends here for a counted reason.
        case drop = 3
    }

    /// What is done with the frame.
    public var kind: Kind
    @usableFromInline var flag: UInt8
    @usableFromInline var detail: UInt16

    @inlinable
    init(kind: Kind, flag: UInt8 = 0, detail: UInt16 = 0) {
        self.kind = kind
        self.flag = flag
        self.detail = detail
    }

    /// The host's stack has the frame already (it was only watched).
    @inlinable public static var pass: Verdict { Verdict(kind: .pass) }
    /// The host shall have the frame, but the ingress block (or a redirect) has kept it from it: it
    /// goes through the host door.
    @inlinable public static var passThroughDoor: Verdict { Verdict(kind: .pass, flag: 1) }
    /// The engine keeps the frame, or has used it up.
    @inlinable public static var consumed: Verdict { Verdict(kind: .consumed) }

    /// Sends the frame as it now stands.
    @inlinable
    public static func send(_ port: PortIndex) -> Verdict { Verdict(kind: .send, detail: port) }

    package static func drop(_ reason: DropReason) -> Verdict {
        Verdict(kind: .drop, detail: UInt16(reason.rawValue))
    }

    /// Whether a passed frame goes through the host door.
    @inlinable public var usesDoor: Bool { flag & 1 != 0 }
    /// Egress of a `.send`.
    @inlinable public var port: PortIndex { detail }
    /// Whether the frame leaves by this port.
    @inlinable
    public func sends(by port: PortIndex) -> Bool {
        if case .send = kind { detail == port } else { false }
    }
    /// Reason of a `.drop`; nil for the other kinds.
    package var reason: DropReason? { kind == .drop ? DropReason(rawValue: UInt8(detail)) : nil }
}
