import Synchronization

/// A connection entry as everyone sees it: a view of its 64 bytes in the table's memory.
///
/// ```
///  0  state 8 | flags 8 | destination 16     atomic; changed by compare-and-swap only
///  4  last seen, ticks of 2^24 ns            atomic
///  8  inbound key: client | virtual          written before publication, then constant
/// 16  outbound key: real server | client
/// 24  inbound ports | outbound ports
/// 32  checksum differences: inbound IP, inbound transport, outbound IP, outbound transport; or a short
///     `ClientRecord`
/// 40  packets in 32 | timeout, seconds 32    atomic words
/// 48  protocol 8 | method and traits 8 | rank among equal outbound keys 16
/// 52  next hop towards the client 16 | generation of the routes it comes from 16    atomic
/// 56  number of the controlling entry
/// 60  firewall mark of the first packet, or the number of the first extension line; in a free entry
///     the list's link
/// ```
/// Addresses that do not fit into a key stand in an extension line (`Extension.swift`).
///
/// The memory of an entry stays readable while any worker may hold the view: a removed entry is
/// used again only after every worker has passed a quiescent state.
@safe
package struct Connection: @unchecked Sendable {
    /// Bytes of an entry, and of an extension line.
    static let bytes = 64
    /// What `control` says when there is no controlling entry.
    package static let noNumber = UInt32.max

    let entry: UnsafeMutableRawPointer
    /// Number in the table's slab.
    package let number: UInt32

    @inline(__always)
    init(entry: UnsafeMutableRawPointer, number: UInt32) {
        unsafe self.entry = entry
        self.number = number
    }

    @inline(__always)
    func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe (entry + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    // MARK: State

    /// State, flags and destination in one word, as it is now.
    package var control: ConnectionControl {
        @inline(__always) get {
            unsafe ConnectionControl(rawValue: word(0).pointee.load(ordering: .acquiring))
        }
    }

    /// Replaces the control word when it still is `expected`; whoever wins moves the counts of the
    /// destination (architecture, section 6).
    @inline(__always)
    package func exchange(_ expected: ConnectionControl, for new: ConnectionControl) -> Bool {
        unsafe word(0).pointee.compareExchange(
            expected: expected.rawValue, desired: new.rawValue,
            ordering: .sequentiallyConsistent
        ).exchanged
    }

    /// State number of the transport's table.
    package var state: UInt8 { control.state }
    package var destination: DestinationIndex { control.destination }
    package var isInactive: Bool { control.isInactive }
    package var hasNoOutput: Bool { control.hasNoOutput }
    package var isLive: Bool { control.isLive }

    // MARK: Time

    /// Tick of the last packet; a tick is 2^24 ns (16.8 ms), so a busy flow dirties its line for
    /// it at most sixty times a second.
    var lastSeen: UInt32 {
        @inline(__always) get { unsafe word(4).pointee.load(ordering: .relaxed) }
    }

    /// Seconds without a packet after which the connection ends.
    package var timeoutSeconds: UInt32 {
        @inline(__always) get { unsafe word(44).pointee.load(ordering: .relaxed) }
    }

    /// Sets the timeout and restarts it.
    package func restart(timeoutSeconds: UInt32, now: Instant) {
        touch(now.tick)
        setTimeout(timeoutSeconds)
    }

    @inline(__always)
    func touch(_ tick: UInt32) {
        if lastSeen != tick { unsafe word(4).pointee.store(tick, ordering: .relaxed) }
    }

    @inline(__always)
    func setTimeout(_ seconds: UInt32) {
        if timeoutSeconds != seconds { unsafe word(44).pointee.store(seconds, ordering: .relaxed) }
    }

    /// True when the timeout has passed; late by at most two ticks, never early (as the kernel's
    /// timers, ipvs-semantics 4.3).
    @inline(__always)
    package func isOverdue(_ now: Instant) -> Bool { isOverdue(tick: now.tick) }

    @inline(__always)
    func isOverdue(tick: UInt32) -> Bool {
        let idle = Int32(truncatingIfNeeded: tick &- lastSeen)
        // A tick of another worker may be ahead of ours: that is no age at all.
        guard idle > 1 else { return false }
        return UInt64(UInt32(bitPattern: idle) &- 1) << 24
            > UInt64(timeoutSeconds) &* 1_000_000_000
    }

    /// True when the last packet came at least so many seconds ago.
    func isIdle(seconds: UInt64, now: Instant) -> Bool {
        let idle = Int32(truncatingIfNeeded: now.tick &- lastSeen)
        return idle > 0 && UInt64(idle) << 24 >= seconds * 1_000_000_000
    }

    /// Whole seconds left, truncated as listings show them (ipvs-semantics 4.9).
    package func remainingSeconds(_ now: Instant) -> UInt32 {
        let idle = Int32(truncatingIfNeeded: now.tick &- lastSeen)
        let passed = idle <= 0 ? 0 : UInt64(idle) << 24
        let all = UInt64(timeoutSeconds) &* 1_000_000_000
        return passed >= all ? 0 : UInt32((all - passed) / 1_000_000_000)
    }

    // MARK: Constant parts

    package var transport: TransportProtocol {
        let number = unsafe entry.byte(48)
        let template = isTemplate ? Connection.templateBit : 0
        return TransportProtocol(
            rawValue: number ^ template ^ (isWide ? ConnectionKey.wideBit : 0))
    }

    /// The tuple of packets in a direction.
    @inline(__always)
    package func key(_ direction: Direction) -> ConnectionKey {
        var key = key(side: Int(direction.rawValue))
        // The entry has room for one protocol number, which here is the wide one.
        if direction == .outbound, translatesFamily { key.transport ^= ConnectionKey.wideBit }
        return key
    }

    /// As `key`, with the direction as a number: which way a packet goes cannot be predicted, so the
    /// packet path computes with it and never branches on it.
    ///
    /// The outbound one of a connection that translates families has the protocol number of a wide
    /// key, which no packet of IPv4 has: the fast path never takes such a reply.
    @inline(__always)
    func key(side: Int) -> ConnectionKey {
        unsafe ConnectionKey(
            addresses: entry.le64(8 &+ side &* 8), ports: entry.le32(24 &+ side &* 4),
            transport: entry.byte(48))
    }

    package var client: IPAddress { hasAddressLine ? wideAddress(0) : key(.inbound).source }
    package var clientPort: UInt16 { key(.inbound).sourcePort }
    package var virtual: IPAddress { hasAddressLine ? wideAddress(16) : key(.inbound).destination }
    package var virtualPort: UInt16 { key(.inbound).destinationPort }
    /// 0.0.0.0 or `::`, port 0, for what is bypassed.
    package var real: IPAddress {
        if hasAddressLine { return wideAddress(32) }
        return method == .bypass ? .anyV4 : key(.outbound).source
    }
    package var realPort: UInt16 { method == .bypass ? 0 : key(.outbound).sourcePort }
    /// What the real server takes for the client: a local address and port of the director with
    /// FULLNAT, else the client itself.
    package var local: LocalEndpoint {
        LocalEndpoint(address: replyDestination, port: key(.outbound).destinationPort)
    }
    /// Whether the client is hidden behind a local address.
    package var isFullNAT: Bool { control.isFullNAT }
    /// Whether an IPv6 client is hidden behind a local address of IPv4, before a server of IPv4.
    package var translatesFamily: Bool {
        @inline(__always) get { control.translatesFamily }
    }
    /// Destination address of replies.
    var replyDestination: IPAddress {
        guard isFullNAT else { return client }
        guard isWide, !translatesFamily else { return key(.outbound).destination }
        return firstLine.nextLine?.wideLocal ?? client
    }
    /// Source address of replies.
    var replySource: IPAddress { method == .bypass ? virtual : real }

    /// Forwarding method with the traits that lead off the usual path: templates and extensions.
    var methodAndTraits: UInt8 {
        @inline(__always) get { unsafe entry.byte(49) }
    }
    package var method: ForwardingMethod {
        @inline(__always) get {
            let method = ForwardingMethod(rawValue: unsafe entry.byte(49) & 7)
            return method == .fullNAT ? .masquerading : method ?? .masquerading
        }
    }
    /// Whether it was made by what another director told (SYNC, ipvs-semantics 4.1).
    package var isSynchronised: Bool {
        let control = control
        let bit = ConnectionControl.synchronised(isTemplate: isTemplate)
        return !control.isFullNAT && control.rawValue & bit != 0
    }
    /// Whether packets are forwarded although no configured server counts them: bypassed, or as another
    /// director told (ipvs-semantics 9.5).
    var goesWithoutDestination: Bool { method == .bypass || isSynchronised }
    package var isTemplate: Bool { unsafe entry.byte(49) & Connection.templateTrait != 0 }
    /// Rank among entries with the same outbound key: replies go to the highest.
    var rank: UInt16 { unsafe entry.le16(50) }
    /// Number of the controlling entry; `noNumber` when there is none.
    package var controller: UInt32 { unsafe entry.le32(56) }

    /// Difference that the rewriting in a direction adds to the IP header's sum.
    ///
    /// Not there with a short `ClientRecord`; see `differences(side:)`.
    @inline(__always)
    func addressDifference(side: Int) -> UInt32 {
        unsafe UInt32(entry.le16(32 &+ side &* 4))
    }

    /// Difference that the rewriting in a direction adds to the transport's sum.
    @inline(__always)
    func transportDifference(side: Int) -> UInt32 {
        unsafe UInt32(entry.le16(34 &+ side &* 4))
    }

    /// Both differences of a direction, wherever the entry has them from.
    func differences(side: Int) -> (addresses: UInt32, transport: UInt32) {
        guard hasShortRecord else {
            return (addressDifference(side: side), transportDifference(side: side))
        }
        let old = key(side: side)
        let new = key(side: side ^ 1).reversed
        let addresses = UInt32(Checksum.difference(from: old.addresses, to: new.addresses))
        let ports = UInt32(Checksum.difference(from: old.ports, to: new.ports))
        return (addresses, UInt32(Checksum.fold(addresses + ports)))
    }

    // MARK: Counter and next hop

    /// Packets from the client.
    ///
    /// With two workers on one connection it can lose an update.
    package var inPackets: UInt32 { unsafe word(40).pointee.load(ordering: .relaxed) }

    @inline(__always)
    func countInPackets(_ count: UInt32) {
        unsafe word(40).pointee.store(inPackets &+ count, ordering: .relaxed)
    }

    /// Sets the counter to what another director told of it.
    func setInPackets(_ count: UInt32) {
        unsafe word(40).pointee.store(count, ordering: .relaxed)
    }

    /// Next hop towards the client in the low half, generation of the routes in the high one.
    var clientHop: UInt32 {
        @inline(__always) get { unsafe word(52).pointee.load(ordering: .relaxed) }
    }

    func setClientHop(_ value: UInt32) {
        unsafe word(52).pointee.store(value, ordering: .relaxed)
    }

    var link: UInt32 {
        get { unsafe word(60).pointee.load(ordering: .relaxed) }
        nonmutating set { unsafe word(60).pointee.store(newValue, ordering: .relaxed) }
    }

    /// Link from one block of free entries to the next; see `ConnectionTable+Memory`.
    var blockLink: UInt32 {
        get { unsafe word(56).pointee.load(ordering: .relaxed) }
        nonmutating set { unsafe word(56).pointee.store(newValue, ordering: .relaxed) }
    }
}

/// State, flags and destination number of a connection: what changes together.
package struct ConnectionControl: Hashable, Sendable {
    package var rawValue: UInt32

    @inline(__always)
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    static let live: UInt32 = 0x100
    static let inactive: UInt32 = 0x200
    static let noOutput: UInt32 = 0x400
    /// Another entry has, or had, the same outbound key.
    static let duplicate: UInt32 = 0x800
    /// A persistence template that no new connection follows any more (ipvs-semantics 5.4).
    static let invalid: UInt32 = 0x1000
    /// A connection of FULLNAT that was reset while it was closing: its server may not know of it.
    ///
    /// Templates have the bit for `invalid`.
    static let resetWhileClosing: UInt32 = 0x1000
    /// Made by what another director told; connections of FULLNAT never are, and have the bit for
    /// `resetWhileClosing`.
    private static let synchronised: UInt32 = 0x1000
    /// The same for templates, which no reply finds, so that none is a `duplicate`.
    private static let synchronisedTemplate: UInt32 = 0x800
    /// The real server sees a local address of the director in the client's place.
    static let fullNAT: UInt32 = 0x2000
    /// The service asks for changes of TCP segments: there is a `ClientRecord`.
    static let changesSegments: UInt32 = 0x4000
    /// The client's keys are wide, the real server's are not.
    static let translatesFamily: UInt32 = 0x8000

    @inline(__always)
    init(state: UInt8, flags: UInt32, destination: DestinationIndex) {
        rawValue = UInt32(state) | flags | UInt32(destination) << 16
    }

    package var state: UInt8 {
        @inline(__always) get { UInt8(truncatingIfNeeded: rawValue) }
        @inline(__always) set { rawValue = rawValue & ~0xff | UInt32(newValue) }
    }
    package var destination: DestinationIndex {
        @inline(__always) get { DestinationIndex(truncatingIfNeeded: rawValue >> 16) }
    }
    package var isLive: Bool { rawValue & ConnectionControl.live != 0 }
    package var isInactive: Bool {
        @inline(__always) get { rawValue & ConnectionControl.inactive != 0 }
        @inline(__always) set { set(ConnectionControl.inactive, newValue) }
    }
    package var hasNoOutput: Bool {
        @inline(__always) get { rawValue & ConnectionControl.noOutput != 0 }
        @inline(__always) set { set(ConnectionControl.noOutput, newValue) }
    }
    var isFullNAT: Bool { rawValue & ConnectionControl.fullNAT != 0 }
    var translatesFamily: Bool {
        @inline(__always) get { rawValue & ConnectionControl.translatesFamily != 0 }
    }
    var wasResetWhileClosing: Bool { rawValue & ConnectionControl.resetWhileClosing != 0 }
    /// The bit that says where an entry comes from.
    static func synchronised(isTemplate: Bool) -> UInt32 {
        isTemplate ? synchronisedTemplate : synchronised
    }
    var isDuplicate: Bool { rawValue & ConnectionControl.duplicate != 0 }

    @inline(__always)
    private mutating func set(_ bit: UInt32, _ on: Bool) {
        rawValue = on ? rawValue | bit : rawValue & ~bit
    }
}

extension Instant {
    /// The coarse time of connection entries: ticks of 2^24 ns; wraps after 2.3 years.
    @inline(__always)
    package var tick: UInt32 { UInt32(truncatingIfNeeded: nanoseconds >> 24) }
}
