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

    /// A connection of the packets with this key, to a real server; ports host order.
    package init(
        key: ConnectionKey, real: IPAddress, realPort: UInt16, method: ForwardingMethod,
        destination: DestinationIndex
    ) {
        transport = TransportProtocol(rawValue: key.transport)
        client = key.source
        clientPort = key.sourcePort
        virtual = key.destination
        virtualPort = key.destinationPort
        self.real = real
        self.realPort = realPort
        self.method = method
        self.destination = destination
    }

    /// The tuple of packets from the client.
    package var inboundKey: ConnectionKey {
        ConnectionKey(
            source: client, sourcePort: clientPort, destination: virtual,
            destinationPort: virtualPort, transport: keyTransport)
    }

    /// Keys of templates carry a number that no packet has, so that neither finds the other's.
    private var keyTransport: TransportProtocol {
        guard isTemplate else { return transport }
        return TransportProtocol(rawValue: transport.rawValue ^ Connection.templateBit)
    }

    /// The tuple of packets from the real server.
    package var outboundKey: ConnectionKey {
        ConnectionKey(
            source: real, sourcePort: realPort, destination: client, destinationPort: clientPort,
            transport: transport)
    }
}

extension Connection {
    /// Writes the whole entry; nobody else can reach it yet.
    ///
    /// The control word comes last, so that a sweep that passes by sees either a dead entry or a
    /// whole one.
    func write(_ spec: ConnectionSpec, now: Instant) {
        let inbound = spec.inboundKey
        let outbound = spec.outboundKey
        unsafe word(4).pointee.store(now.tick, ordering: .relaxed)
        unsafe entry.set(8, le64: inbound.addresses)
        unsafe entry.set(16, le64: outbound.addresses)
        unsafe entry.set(24, le32: inbound.ports)
        unsafe entry.set(28, le32: outbound.ports)
        writeDifferences(from: inbound, to: outbound.reversed, at: 32)
        writeDifferences(from: outbound, to: inbound.reversed, at: 36)
        unsafe word(40).pointee.store(0, ordering: .relaxed)
        unsafe word(44).pointee.store(spec.timeoutSeconds, ordering: .relaxed)
        unsafe entry.set(48, byte: inbound.transport)
        unsafe entry.set(49, byte: spec.method.rawValue | (spec.isTemplate ? 0x10 : 0))
        unsafe entry.set(50, le16: 0)
        unsafe word(52).pointee.store(0, ordering: .relaxed)
        unsafe entry.set(56, le32: spec.controller)
        unsafe entry.set(60, le32: spec.mark)
        let noOutput = spec.hasNoOutput ?? (spec.method != .masquerading)
        let flags =
            ConnectionControl.live | (spec.isInactive ? ConnectionControl.inactive : 0)
            | (noOutput ? ConnectionControl.noOutput : 0)
        let control = ConnectionControl(
            state: spec.state, flags: flags, destination: spec.destination)
        unsafe word(0).pointee.store(control.rawValue, ordering: .releasing)
    }

    private func writeDifferences(
        from old: ConnectionKey, to new: ConnectionKey, at offset: Int
    ) {
        let addresses = Checksum.difference(from: old.addresses, to: new.addresses)
        let ports = Checksum.difference(from: old.ports, to: new.ports)
        unsafe entry.set(offset, le16: addresses)
        unsafe entry.set(
            offset + 2, le16: Checksum.fold(UInt32(addresses) + UInt32(ports)))
    }
}
