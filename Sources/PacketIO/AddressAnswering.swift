package import LVS
internal import Synchronization

/// Answers for addresses the director was told to answer for, and for no other, ever: ARP for IPv4,
/// neighbour discovery for IPv6.
///
/// The host must not own these addresses, or both would answer. They are those named at the start and
/// the local addresses of services, which come and go. Works on passed frames only, and takes its
/// lock for questions and claims among them, so the hot path does not meet it.
package final class AddressAnswering: Sendable {
    /// Why an address cannot be answered for.
    package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    /// Another station's word that it has an address that is answered for.
    package struct Claim: Hashable, Sendable {
        package var address: IPAddress
        package var hardware: HardwareAddress
    }

    private static let mostPorts = 64
    /// Claims kept for the housekeeper; what comes beyond these is said again by its sender.
    private static let mostClaims = 16

    private struct State {
        var answered: Set<IPAddress>
        /// What the segments have not been told yet.
        var unannounced: [IPAddress]
        var claims: Set<Claim> = []
    }

    /// What was named at the start.
    private let fixed: Set<IPAddress>
    private let state: Mutex<State>
    /// MAC address of each port; written by the housekeeper, read by workers, relaxed.
    private let hardware: [HardwareCell]

    /// Takes addresses of single hosts, of either family.
    package init(addresses: [IPAddress] = []) throws(Refusal) {
        for address in addresses where !address.isUnicast {
            throw Refusal(description: "only addresses of single hosts can be answered for")
        }
        fixed = Set(addresses)
        state = Mutex(State(answered: fixed, unannounced: addresses))
        hardware = (0..<Self.mostPorts).map { _ in HardwareCell() }
    }

    /// What is answered for.
    package var addresses: Set<IPAddress> { state.withLock { $0.answered } }

    /// Answers for exactly these beside what was named at the start; true when some are new, which
    /// `WorkerLoop.announceNewAddresses` tells the segments.
    package func answer(for locals: Set<IPAddress>) -> Bool {
        let wanted = fixed.union(locals)
        return state.withLock { state in
            let new = wanted.subtracting(state.answered)
            state.unannounced.removeAll { !wanted.contains($0) }
            state.unannounced += new
            state.claims = state.claims.filter { wanted.contains($0.address) }
            state.answered = wanted
            return !new.isEmpty
        }
    }

    /// Names the MAC address to answer with on a port; answers begin with it.
    package func setHardware(_ address: HardwareAddress, of port: PortIndex) {
        guard Int(port) < Self.mostPorts else { return }
        hardware[Int(port)].value.store(address.value, ordering: .relaxed)
    }

    /// Other stations that have said since the last call that an answered IPv4 address is theirs.
    package func takeClaims() -> Set<Claim> {
        state.withLock { state in
            defer { state.claims = [] }
            return state.claims
        }
    }

    /// Makes the answer to a passed frame when it asks for one of the addresses.
    ///
    /// The answer becomes a made frame of the burst; true when the frame is used up by that.
    func answer(_ index: Int, in burst: inout Burst) -> Bool {
        let frame = burst[index]
        guard let mine = hardware(of: frame.ingress) else { return false }
        if let claim = ARPRequest.claim(in: frame) { note(claim.address, claim.hardware) }
        if let request = ARPRequest(frame) {
            guard isAnswered(IPAddress(v4: request.target)) else { return false }
            return make(ARPRequest.bytes, like: frame, cause: index, in: &burst) { reply in
                request.writeReply(from: mine, into: reply)
            }
        }
        if let solicitation = NeighbourSolicitation(frame) {
            guard isAnswered(solicitation.target) else { return false }
            let answer = NeighbourAdvertisement(answering: solicitation, from: mine)
            return make(NeighbourAdvertisement.bytes, like: frame, cause: index, in: &burst) {
                answer.write(into: $0)
            }
        }
        return false
    }

    /// Has all addresses announced once more.
    func announceAgain() {
        state.withLock { $0.unannounced = Array($0.answered) }
    }

    /// What is to be announced; the caller does so on all ports.
    func takeUnannounced() -> [IPAddress] {
        state.withLock { state in
            defer { state.unannounced = [] }
            return state.unannounced
        }
    }

    /// Adds, for a burst that is empty otherwise, what tells the port's segment who has the first of
    /// the addresses: a gratuitous request (RFC 5944, section 4.6) or an unsolicited advertisement
    /// (RFC 4861, section 7.2.6) for each. Before it, for a local address, goes the question whether
    /// somebody has it already. The rest waits for the next burst.
    func announce(
        _ addresses: ArraySlice<IPAddress>, on port: PortIndex, in burst: inout Burst
    ) -> ArraySlice<IPAddress> {
        guard let mine = hardware(of: port) else { return [] }
        for (position, address) in zip(addresses.indices, addresses) {
            guard burst.madeCount + 2 <= Self.mostAnnounced else { return addresses[position...] }
            guard address.isV4 else {
                send(NeighbourAdvertisement.bytes, by: port, in: &burst) {
                    NeighbourAdvertisement(announcing: address, from: mine).write(into: $0)
                }
                continue
            }
            if !fixed.contains(address) {
                send(ARPRequest.bytes, by: port, in: &burst) {
                    ARPRequest.writeProbe(for: address.v4, from: mine, into: $0)
                }
            }
            send(ARPRequest.bytes, by: port, in: &burst) {
                ARPRequest.writeAnnouncement(of: address.v4, from: mine, into: $0)
            }
        }
        return []
    }

    /// Made frames of one burst of announcements.
    private static let mostAnnounced = 32

    private func send(
        _ length: Int, by port: PortIndex, in burst: inout Burst, _ write: (Frame) -> Void
    ) {
        let made = burst.make(length: length, ingress: port, cause: Burst.capacity)
        guard var frame = made else { return }
        write(frame)
        frame.verdict = .send(port)
        burst.setMadeFrame(burst.madeCount - 1, frame)
    }

    private func isAnswered(_ address: IPAddress) -> Bool {
        state.withLock { $0.answered.contains(address) }
    }

    /// Notes who says that an address is his, unless it is the director by another port.
    private func note(_ value: UInt32, _ claimed: HardwareAddress) {
        let address = IPAddress(v4: value)
        guard !hardware.contains(where: { $0.value.load(ordering: .relaxed) == claimed.value })
        else { return }
        state.withLock { state in
            guard state.claims.count < Self.mostClaims, state.answered.contains(address) else {
                return
            }
            state.claims.insert(Claim(address: address, hardware: claimed))
        }
    }

    /// Makes a frame that leaves by the way another came, on its VLAN; false when the burst has none.
    private func make(
        _ length: Int, like frame: Frame, cause: Int, in burst: inout Burst,
        _ write: (Frame) -> Void
    ) -> Bool {
        guard var reply = burst.make(length: length, ingress: frame.ingress, cause: cause) else {
            return false
        }
        write(reply)
        reply.vlan = frame.vlan
        reply.verdict = .send(frame.ingress)
        burst.setMadeFrame(burst.madeCount - 1, reply)
        return true
    }

    private func hardware(of port: PortIndex) -> HardwareAddress? {
        guard Int(port) < Self.mostPorts else { return nil }
        let value = hardware[Int(port)].value.load(ordering: .relaxed)
        return value == 0 ? nil : HardwareAddress(value: value)
    }
}

extension IPAddress {
    /// False for the unspecified address, multicast and broadcast.
    fileprivate var isUnicast: Bool {
        isV4 ? v4 != 0 && v4 >> 28 < 0xe : self != .anyV6 && !isMulticast
    }
}

/// A MAC address that one thread writes and others read; 0 when there is none.
private final class HardwareCell: Sendable {
    let value = Atomic<UInt64>(0)
}
