/// One marking rule as netfilter's mangle table has them: which packets it applies to, and what then
/// becomes of their mark.
///
/// Everything that is set must hold, or must not where `inverted` says so. Rules apply in their order;
/// a later one finds the mark that earlier ones left and may change it again.
package struct MarkRule: Hashable, Sendable {
    /// A number of which some bits count.
    package struct Bits: Hashable, Sendable {
        package var value: UInt32
        package var mask: UInt32

        package init(_ value: UInt32, mask: UInt32 = .max) {
            self.value = value
            self.mask = mask
        }
    }

    /// TCP flags: of those in `mask` exactly those in `set` are set.
    package struct Flags: Hashable, Sendable {
        package var mask: UInt8
        package var set: UInt8

        package init(mask: UInt8, set: UInt8) {
            self.mask = mask
            self.set = set
        }
    }

    /// Type and codes of an ICMP message.
    package struct ICMP: Hashable, Sendable {
        package var type: UInt8
        package var codes: ClosedRange<UInt8>

        package init(type: UInt8, codes: ClosedRange<UInt8> = 0...UInt8.max) {
            self.type = type
            self.codes = codes
        }
    }

    /// Addresses from one to another, both included.
    package struct Span: Hashable, Sendable {
        package var first: IPAddress
        package var last: IPAddress

        package init(_ first: IPAddress, _ last: IPAddress) {
            self.first = first
            self.last = last
        }
    }

    /// The parts of a rule that can be turned round with `!`.
    package struct Parts: OptionSet, Hashable, Sendable {
        package let rawValue: UInt16

        package init(rawValue: UInt16) { self.rawValue = rawValue }

        package static let transport = Parts(rawValue: 1)
        package static let source = Parts(rawValue: 2)
        package static let destination = Parts(rawValue: 4)
        package static let sourceSpan = Parts(rawValue: 8)
        package static let destinationSpan = Parts(rawValue: 16)
        package static let sourcePorts = Parts(rawValue: 32)
        package static let destinationPorts = Parts(rawValue: 64)
        package static let eitherPorts = Parts(rawValue: 128)
        package static let interface = Parts(rawValue: 256)
        package static let flags = Parts(rawValue: 512)
        package static let icmp = Parts(rawValue: 1024)
        package static let carried = Parts(rawValue: 2048)
        package static let connection = Parts(rawValue: 4096)
    }

    /// What a rule does to the packets it applies to.
    ///
    /// Packets are classified while they have no connection, so that the mark of the connection
    /// (conntrack's) is 0 until a rule says otherwise.
    package enum Action: Hashable, Sendable {
        /// mark = (mark & ~mask) ^ value.
        case set(Bits)
        /// The same for the connection's mark.
        case setConnection(Bits)
        /// The connection's mark takes the masked packet's.
        case save(packet: UInt32, connection: UInt32)
        /// The packet's mark takes the masked connection's.
        case restore(packet: UInt32, connection: UInt32)
        /// No further rule of the list applies.
        case accept
        /// So many following rules do not apply: the way back out of a chain.
        case skip(Int)
        /// So many following rules apply only where this one does: the way into a chain.
        case unless(Int)
    }

    /// Nil is both, unless addresses or the protocol say which.
    package var family: AddressFamily?
    /// Nil is every protocol.
    package var transport: TransportProtocol?
    package var source: Prefix?
    package var destination: Prefix?
    package var sourceSpan: Span?
    package var destinationSpan: Span?
    /// Host order; none is every port, with or without ports in the packet.
    package var sourcePorts: [ClosedRange<UInt16>] = []
    package var destinationPorts: [ClosedRange<UInt16>] = []
    /// Ports of which the source or the destination must be one.
    package var eitherPorts: [ClosedRange<UInt16>] = []
    /// Name of the interface the packet comes in by, with a trailing + the beginning of names; nil is
    /// any.
    package var interface: String?
    package var flags: Flags?
    package var icmp: ICMP?
    /// What the packet's mark must be so far.
    package var carried: Bits?
    /// What the connection's mark must be so far.
    package var connection: Bits?
    /// Whether the source must be an address of the host, or must be none.
    package var isFromHost: Bool?
    package var isToHost: Bool?
    package var inverted: Parts = []
    package var action: Action

    package init(mark: UInt32) { action = .set(Bits(mark)) }

    package init(_ action: Action) { self.action = action }

    /// The mark that the rule sets; 0 when it does something else.
    package var mark: UInt32 {
        if case .set(let bits) = action { bits.value } else { 0 }
    }

    /// The only family whose packets the rule can apply to; nil when both.
    package var onlyFamily: AddressFamily? {
        if let family { return family }
        for address in [
            source?.address, destination?.address, sourceSpan?.first, destinationSpan?.first,
        ] {
            if let address { return address.family }
        }
        guard !inverted.contains(.transport) else { return nil }
        switch transport {
        case .icmp: return .v4
        case .icmpV6: return .v6
        default: return nil
        }
    }

    /// Says what the director cannot do about a rule.
    package func check() throws(CommandRefusal) {
        let addresses = [
            source?.address, destination?.address, sourceSpan?.first, sourceSpan?.last,
            destinationSpan?.first, destinationSpan?.last,
        ].compactMap { $0?.family }
        let families = Set(addresses + (family.map { [$0] } ?? []))
        guard families.count < 2 else {
            throw .invalid("a mark rule is for IPv4 or for IPv6, not for both")
        }
        let hasPorts =
            !sourcePorts.isEmpty || !destinationPorts.isEmpty || !eitherPorts.isEmpty
        guard !hasPorts || (transport?.hasPorts == true && !inverted.contains(.transport)) else {
            throw .invalid("a mark rule with ports needs -p tcp, -p udp or -p sctp")
        }
        switch action {
        case .skip(let count), .unless(let count):
            guard count >= 0 else { throw .invalid("a mark rule leads backwards") }
        default: break
        }
    }
}

extension MarkRule {
    /// Addresses that are alike in the bits of a mask.
    package struct Prefix: Hashable, Sendable {
        /// The bits outside of the mask are 0.
        package var address: IPAddress
        /// Of an IPv4 address, as its mapped form: all bits before it are set.
        package var mask: IPAddress

        /// The addresses that begin with so many bits (IPv4 0 to 32, IPv6 0 to 128).
        package init(address: IPAddress, length: UInt8) {
            let bits = address.isV4 ? 96 + Int(min(length, 32)) : Int(min(length, 128))
            self.init(
                address: address,
                mask: IPAddress(
                    high: Prefix.leading(min(bits, 64)), low: Prefix.leading(max(0, bits - 64))))
        }

        /// The addresses that are alike in the bits of any mask of the address's family.
        package init(address: IPAddress, mask: IPAddress) {
            var mask = mask
            if address.isV4 {
                mask = IPAddress(high: .max, low: mask.low | 0xffff_ffff_0000_0000)
            }
            self.mask = mask
            self.address = IPAddress(high: address.high & mask.high, low: address.low & mask.low)
        }

        /// How many bits lead the mask; of an ordinary prefix these are all of it.
        package var length: UInt8 {
            let ones = (~mask.high).leadingZeroBitCount
            let bits = ones < 64 ? ones : 64 + (~mask.low).leadingZeroBitCount
            return UInt8(address.isV4 ? bits - 96 : bits)
        }

        /// True when the mask is nothing but its leading bits.
        package var isContiguous: Bool {
            Prefix(address: address, length: length).mask == mask
        }

        package func contains(_ other: IPAddress) -> Bool {
            other.high & mask.high == address.high && other.low & mask.low == address.low
        }

        /// The shortest prefix that holds all of a span.
        package init(around span: Span) {
            let apart = span.first.high ^ span.last.high
            let bits =
                apart != 0
                ? apart.leadingZeroBitCount
                : 64 + (span.first.low ^ span.last.low).leadingZeroBitCount
            self.init(
                address: span.first,
                length: UInt8(clamping: span.first.isV4 ? bits - 96 : bits))
        }

        private static func leading(_ bits: Int) -> UInt64 {
            bits == 0 ? 0 : UInt64.max << UInt64(64 - bits)
        }
    }
}

extension TransportProtocol {
    /// True when its packets name ports that the director reads.
    var hasPorts: Bool { self == .tcp || self == .udp || self == .sctp }
}
