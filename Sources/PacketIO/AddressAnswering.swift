package import LVS
internal import Synchronization

/// Answers ARP for addresses the director was told to answer for, and for no other, ever.
///
/// The host must not own these addresses, or both would answer. Works on passed frames only, so the
/// hot path does not meet it.
///
/// ```
///  Ethernet                ARP for IPv4 over Ethernet (RFC 826)
///  0    6      12          14     20         22      28      32      38      42
///  | to | from | 0x0806    | kind | operation| sha   | spa   | tha   | tpa   |
/// ```
package final class AddressAnswering: Sendable {
    /// Why an address cannot be answered for.
    package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    static let frameBytes = 42
    private static let arp: UInt16 = 0x0806
    /// Ethernet, IPv4, lengths 6 and 4: the first six bytes of the ARP part.
    private static let kind: UInt64 = 0x0001_0800_0604
    private static let mostPorts = 64

    /// IPv4 values, host order.
    private let addresses: [UInt32]
    /// MAC address of each port; written by the housekeeper, read by workers, relaxed.
    private let hardware: [HardwareCell]

    /// Takes IPv4 addresses; IPv6 would need neighbour discovery and is refused.
    package init(addresses: [IPAddress]) throws(Refusal) {
        for address in addresses where !address.isV4 {
            throw Refusal(description: "only IPv4 addresses can be answered for, by ARP")
        }
        self.addresses = addresses.map(\.v4)
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
        guard frame.length >= UInt32(Self.frameBytes) else { return false }
        let bytes = unsafe frame.bytes
        guard unsafe bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self).bigEndian == Self.arp
        else { return false }
        let kind = unsafe bytes.loadUnaligned(fromByteOffset: 14, as: UInt64.self).bigEndian
        guard kind == Self.kind << 16 | 1 else { return false }
        let sender = unsafe bytes.loadUnaligned(fromByteOffset: 28, as: UInt32.self).bigEndian
        let target = unsafe bytes.loadUnaligned(fromByteOffset: 38, as: UInt32.self).bigEndian
        // Who announces the address for himself is no asker.
        guard sender != target, addresses.contains(target) else { return false }
        guard let mine = hardware(of: frame.ingress) else { return false }
        guard
            var reply = burst.make(
                length: Self.frameBytes, ingress: frame.ingress, cause: index)
        else { return false }
        let asker = unsafe HardwareAddress(
            value: bytes.loadUnaligned(fromByteOffset: 20, as: UInt64.self).bigEndian)
        Self.write(
            operation: 2, from: mine, target, to: asker, targetHardware: asker, sender,
            into: reply)
        reply.vlan = frame.vlan
        reply.verdict = .send(frame.ingress)
        burst.setMadeFrame(burst.madeCount - 1, reply)
        return true
    }

    /// Adds a gratuitous request for every address on the port (RFC 5944, section 4.6), for a burst
    /// that is empty otherwise.
    func announce(on port: PortIndex, in burst: inout Burst) {
        guard let mine = hardware(of: port) else { return }
        for address in addresses {
            let made = burst.make(
                length: Self.frameBytes, ingress: port, cause: Burst.capacity)
            guard var frame = made else { return }
            Self.write(
                operation: 1, from: mine, address, to: .broadcast,
                targetHardware: HardwareAddress(value: 0), address, into: frame)
            frame.verdict = .send(port)
            burst.setMadeFrame(burst.madeCount - 1, frame)
        }
    }

    private func hardware(of port: PortIndex) -> HardwareAddress? {
        guard Int(port) < Self.mostPorts else { return nil }
        let value = hardware[Int(port)].value.load(ordering: .relaxed)
        return value == 0 ? nil : HardwareAddress(value: value)
    }

    private static func write(
        operation: UInt16, from mine: HardwareAddress, _ address: UInt32,
        to receiver: HardwareAddress, targetHardware: HardwareAddress, _ target: UInt32,
        into frame: Frame
    ) {
        let bytes = unsafe frame.bytes
        func put(_ address: HardwareAddress, at offset: Int) {
            let high = UInt32(truncatingIfNeeded: address.value >> 16).bigEndian
            let low = UInt16(truncatingIfNeeded: address.value).bigEndian
            unsafe bytes.storeBytes(of: high, toByteOffset: offset, as: UInt32.self)
            unsafe bytes.storeBytes(of: low, toByteOffset: offset + 4, as: UInt16.self)
        }
        put(receiver, at: 0)
        put(mine, at: 6)
        unsafe bytes.storeBytes(of: arp.bigEndian, toByteOffset: 12, as: UInt16.self)
        let head = kind << 16 | UInt64(operation)
        unsafe bytes.storeBytes(of: head.bigEndian, toByteOffset: 14, as: UInt64.self)
        put(mine, at: 22)
        unsafe bytes.storeBytes(of: address.bigEndian, toByteOffset: 28, as: UInt32.self)
        put(targetHardware, at: 32)
        unsafe bytes.storeBytes(of: target.bigEndian, toByteOffset: 38, as: UInt32.self)
    }
}

/// A MAC address that one thread writes and others read; 0 when there is none.
private final class HardwareCell: Sendable {
    let value = Atomic<UInt64>(0)
}
