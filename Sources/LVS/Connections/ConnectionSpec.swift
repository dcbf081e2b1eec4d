import Synchronization

/// What a new connection entry is made from.
package struct ConnectionSpec: Hashable, Sendable {
    package var transport: TransportProtocol
    package var client: IPAddress
    package var clientPort: UInt16
    package var virtual: IPAddress
    package var virtualPort: UInt16
    package var real: IPAddress
    package var realPort: UInt16
    package var method: ForwardingMethod
    /// `Destination.none` when it counts for no destination.
    package var destination: DestinationIndex
    package var state: UInt8 = 0
    /// Counted as inactive, as every connection begins (ipvs-semantics 4.4).
    package var isInactive = true
    /// No packet seen or expected from the real server; nil stands for "every method but NAT".
    package var hasNoOutput: Bool?
    package var isTemplate = false
    package var timeoutSeconds: UInt32 = 3
    package var controller = Connection.noNumber
    package var mark: UInt32 = 0
    /// Extension lines that a helper asks for, 48 bytes each (`Connection.extraLine`).
    package var extraLines = 0
    /// A helper looks at the packets, and has the first extra line.
    package var hasHelper = false
    /// The client's port is not known yet, and 0 here.
    package var hasUnknownPort = false
    /// Made by what another director told.
    package var isSynchronised = false
    /// What a persistence engine tells templates apart by; 0 without one.
    package var tag: UInt64 = 0
    /// What the real server takes for the client, with FULLNAT; the connection is one of NAT otherwise.
    ///
    /// Its port is taken from the pool of address and server, and goes back there when the
    /// connection ends.
    package var local: LocalEndpoint?
    /// What the service asks of its TCP segments; see `bind(_:)` and `ClientRecord`.
    package var fullNAT = FullNATOptions.none

    /// A connection of the packets with this IPv4 key, to a real server; ports host order.
    package init(
        key: ConnectionKey, real: IPAddress, realPort: UInt16, method: ForwardingMethod,
        destination: DestinationIndex
    ) {
        self.init(
            tuple: ConnectionTuple(key), real: real, realPort: realPort, method: method,
            destination: destination)
    }

    /// A connection of the packets with this tuple, to a real server; ports host order.
    package init(
        tuple: ConnectionTuple, real: IPAddress, realPort: UInt16, method: ForwardingMethod,
        destination: DestinationIndex
    ) {
        transport = TransportProtocol(rawValue: tuple.transport)
        client = tuple.source
        clientPort = UInt16(truncatingIfNeeded: tuple.ports).byteSwapped
        virtual = tuple.destination
        virtualPort = UInt16(truncatingIfNeeded: tuple.ports >> 16).byteSwapped
        self.real = real
        self.realPort = realPort
        self.method = method
        self.destination = destination
    }

    /// The tuple of packets from the client.
    package var inboundTuple: ConnectionTuple {
        var tuple = ConnectionTuple(
            source: client, sourcePort: clientPort, destination: virtual,
            destinationPort: virtualPort, transport: keyTransport)
        tuple.tag = tag
        return tuple
    }

    /// Keys of templates carry a number that no packet has, so that neither finds the other's.
    private var keyTransport: TransportProtocol {
        guard isTemplate else { return transport }
        return TransportProtocol(rawValue: transport.rawValue ^ Connection.templateBit)
    }

    /// The tuple of packets from the real server.
    ///
    /// What was bypassed is answered by its own destination.
    package var outboundTuple: ConnectionTuple {
        let isBypassed = method == .bypass
        return ConnectionTuple(
            source: isBypassed ? virtual : real, sourcePort: isBypassed ? virtualPort : realPort,
            destination: local?.address ?? client, destinationPort: local?.port ?? clientPort,
            transport: transport)
    }

    /// True when packets of the real server are looked up, too.
    var isFoundByReplies: Bool { method.isFoundByReplies && !isTemplate }

    /// Extension lines of the entry: one as soon as an address does not fit into a key, or a helper
    /// asks for some.
    var lines: Int {
        let isNarrow = client.isV4 && virtual.isV4 && real.isV4
        guard !isNarrow || extraLines != 0 else { return 0 }
        return (hasAddressLine ? 1 : 0) + (hasWideLocal ? 1 : 0) + extraLines
    }

    /// Of a connection with lines, whether the first holds the addresses.
    var hasAddressLine: Bool { local == nil || inboundTuple.isWide }

    /// The local address does not fit into the reply's key and has a line of its own.
    var hasWideLocal: Bool { local.map { !$0.address.isV4 } ?? false }
}

extension Connection {
    /// Writes the whole entry; nobody else can reach it yet.
    ///
    /// `keys` and `tuples` are the inbound and the outbound one, `lines` the number of the first
    /// extension line.
    /// The control word comes last, so that a sweep that passes by sees either a dead entry or a
    /// whole one.
    func write(
        _ spec: ConnectionSpec, keys: (ConnectionKey, ConnectionKey),
        tuples: (ConnectionTuple, ConnectionTuple), lines: UInt32, now: Instant
    ) {
        let (inbound, outbound) = keys
        unsafe word(4).pointee.store(now.tick, ordering: .relaxed)
        unsafe entry.set(8, le64: inbound.addresses)
        unsafe entry.set(16, le64: outbound.addresses)
        unsafe entry.set(24, le32: inbound.ports)
        unsafe entry.set(28, le32: outbound.ports)
        if tuples.0.isWide || tuples.1.isWide {
            writeDifferences(from: tuples.0, to: tuples.1.reversed, at: 32)
            writeDifferences(from: tuples.1, to: tuples.0.reversed, at: 36)
        } else {
            writeDifferences(from: inbound, to: outbound.reversed, at: 32)
            writeDifferences(from: outbound, to: inbound.reversed, at: 36)
        }
        unsafe word(40).pointee.store(0, ordering: .relaxed)
        unsafe word(44).pointee.store(spec.timeoutSeconds, ordering: .relaxed)
        unsafe entry.set(48, byte: inbound.transport)
        let traits =
            (spec.isTemplate ? Connection.templateTrait : 0)
            | (lines == Connection.noNumber ? 0 : Connection.extensionBit)
            | (tuples.0.isWide ? Connection.wideBit : 0)
            | (spec.hasHelper ? Connection.helperTrait : 0)
            | (spec.hasUnknownPort ? Connection.unknownPortTrait : 0)
        let method = spec.hasShortRecord ? Connection.shortRecordMethod : spec.method.rawValue
        unsafe entry.set(49, byte: method | traits)
        unsafe entry.set(50, le16: 0)
        unsafe word(52).pointee.store(0, ordering: .relaxed)
        unsafe entry.set(56, le32: spec.controller)
        if lines == Connection.noNumber {
            unsafe entry.set(60, le32: spec.mark)
        } else {
            writeExtension(spec, first: lines)
        }
        let noOutput = spec.hasNoOutput ?? (spec.method != .masquerading)
        let flags =
            ConnectionControl.live | (spec.isInactive ? ConnectionControl.inactive : 0)
            | (noOutput ? ConnectionControl.noOutput : 0)
            | (spec.isSynchronised
                ? ConnectionControl.synchronised(isTemplate: spec.isTemplate) : 0)
            | (spec.local == nil ? 0 : ConnectionControl.fullNAT)
            | (spec.fullNAT == .none ? 0 : ConnectionControl.changesSegments)
            | (spec.local != nil && tuples.0.isWide && !tuples.1.isWide
                ? ConnectionControl.translatesFamily : 0)
        let control = ConnectionControl(
            state: spec.state, flags: flags, destination: spec.destination)
        unsafe word(0).pointee.store(control.rawValue, ordering: .releasing)
        // A sweep does not look at it, and nobody else has the entry yet.
        clientRecord?.write(spec.fullNAT, headerLength: spec.proxyHeaderLength)
    }

    private func writeDifferences(
        from old: ConnectionTuple, to new: ConnectionTuple, at offset: Int
    ) {
        let addresses = Checksum.fold(
            UInt32(Checksum.difference(from: old.source, to: new.source))
                + UInt32(Checksum.difference(from: old.destination, to: new.destination)))
        writeDifferences(addresses, Checksum.difference(from: old.ports, to: new.ports), at: offset)
    }

    /// As above where keys say all of the tuples.
    private func writeDifferences(
        from old: ConnectionKey, to new: ConnectionKey, at offset: Int
    ) {
        writeDifferences(
            Checksum.difference(from: old.addresses, to: new.addresses),
            Checksum.difference(from: old.ports, to: new.ports), at: offset)
    }

    private func writeDifferences(_ addresses: UInt16, _ ports: UInt16, at offset: Int) {
        unsafe entry.set(offset, le16: addresses)
        unsafe entry.set(
            offset + 2, le16: Checksum.fold(UInt32(addresses) + UInt32(ports)))
    }
}
