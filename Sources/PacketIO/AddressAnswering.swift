package import LVS
internal import Synchronization

/// Answers for addresses the director was told to answer for, and for no other, ever: ARP for IPv4,
/// neighbour discovery for IPv6.
///
/// The host must not own these addresses, or both would answer. Works on passed frames only, so the
/// hot path does not meet it.
package final class AddressAnswering: Sendable {
    /// Why an address cannot be answered for.
    package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    private static let mostPorts = 64

    /// What is answered for.
    package let addresses: [IPAddress]
    /// MAC address of each port; written by the housekeeper, read by workers, relaxed.
    private let hardware: [HardwareCell]

    /// Takes addresses of single hosts, of either family.
    package init(addresses: [IPAddress]) throws(Refusal) {
        for address in addresses where !address.isUnicast {
            throw Refusal(description: "only addresses of single hosts can be answered for")
        }
        self.addresses = addresses
        hardware = (0..<Self.mostPorts).map { _ in HardwareCell() }
    }

    /// Names the MAC address to answer with on a port; answers begin with it.
    package func setHardware(_ address: HardwareAddress, of port: PortIndex) {
        guard Int(port) < Self.mostPorts else { return }
        hardware[Int(port)].value.store(address.value, ordering: .relaxed)
    }

    /// Makes the answer to a passed frame when it asks for one of the addresses.
    ///
    /// The answer becomes a made frame of the burst; true when the frame is used up by that.
    func answer(_ index: Int, in burst: inout Burst) -> Bool {
        let frame = burst[index]
        guard let mine = hardware(of: frame.ingress) else { return false }
        if let request = ARPRequest(frame) {
            guard addresses.contains(IPAddress(v4: request.target)) else { return false }
            return make(ARPRequest.bytes, like: frame, cause: index, in: &burst) { reply in
                request.writeReply(from: mine, into: reply)
            }
        }
        if let solicitation = NeighbourSolicitation(frame) {
            guard addresses.contains(solicitation.target) else { return false }
            let answer = NeighbourAdvertisement(answering: solicitation, from: mine)
            return make(NeighbourAdvertisement.bytes, like: frame, cause: index, in: &burst) {
                answer.write(into: $0)
            }
        }
        return false
    }

    /// Adds, for a burst that is empty otherwise, what tells the port's segment who has the
    /// addresses: a gratuitous request (RFC 5944, section 4.6) or an unsolicited advertisement
    /// (RFC 4861, section 7.2.6) for each.
    func announce(on port: PortIndex, in burst: inout Burst) {
        guard let mine = hardware(of: port) else { return }
        for address in addresses {
            let length = address.isV4 ? ARPRequest.bytes : NeighbourAdvertisement.bytes
            let made = burst.make(length: length, ingress: port, cause: Burst.capacity)
            guard var frame = made else { return }
            if address.isV4 {
                ARPRequest.writeAnnouncement(of: address.v4, from: mine, into: frame)
            } else {
                NeighbourAdvertisement(announcing: address, from: mine).write(into: frame)
            }
            frame.verdict = .send(port)
            burst.setMadeFrame(burst.madeCount - 1, frame)
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
