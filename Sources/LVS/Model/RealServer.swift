/// A real server as the operator configures it (kernel: `dest`).
package struct RealServer: Hashable, Sendable {
    package var address: IPAddress
    /// Host order; 0 keeps the packet's port.
    package var port: UInt16
    package var method: ForwardingMethod
    /// 0 takes no new connections; at most 2^31 - 1.
    package var weight: Int32
    /// 0 is no threshold.
    package var upperThreshold: UInt32
    package var lowerThreshold: UInt32
    package var tunnel: TunnelKind

    package init(
        address: IPAddress, port: UInt16, method: ForwardingMethod, weight: Int32 = 1,
        upperThreshold: UInt32 = 0, lowerThreshold: UInt32 = 0, tunnel: TunnelKind = .ipip
    ) {
        self.address = address
        self.port = port
        self.method = method
        self.weight = weight
        self.upperThreshold = upperThreshold
        self.lowerThreshold = lowerThreshold
        self.tunnel = tunnel
    }
}

/// How packets reach a real server; raw values are the kernel's (ipvs-semantics 4.1).
package enum ForwardingMethod: UInt8, CaseIterable, Sendable {
    case masquerading = 0
    case localNode = 1
    case tunnel = 2
    case directRouting = 3
    /// To the packet's own destination; chosen by `cache_bypass`, never by an operator.
    case bypass = 4
    /// NAT that also hides the client behind a local address; a connection so made is one of NAT with
    /// a local endpoint (`ConnectionSpec.local`).
    case fullNAT = 5

    /// True when replies pass the director.
    var isFoundByReplies: Bool { isTranslating || self == .bypass }
    /// True when addresses of packets are rewritten.
    package var isTranslating: Bool { self == .masquerading || self == .fullNAT }
}

/// Encapsulation of the tunnel method.
package enum TunnelKind: Hashable, Sendable {
    case ipip
    case gue(port: UInt16, flags: UInt16)
    case gre(flags: UInt16)
}
