internal import Posix

/// What the AF_XDP drivers of one director have in common: frame memory and the map of served traffic.
///
/// Made by whoever opens drivers, on one thread, and filled as drivers need it; hence the unchecked
/// conformance.
package final class XDPCommons: @unchecked Sendable {
    private var areas: [Int: FrameArea] = [:]
    /// The map to keep equal to what is served; nil while no interface is served by AF_XDP.
    package private(set) var redirects: RedirectMap?

    package init() {}

    func redirects(for interface: String) throws(DriverError) -> RedirectMap {
        if let redirects { return redirects }
        let made = try RedirectMap(interface: interface)
        redirects = made
        return made
    }

    /// The area with chunks that take frames of an MTU, for so many interfaces.
    func area(
        for interface: InterfaceDescription, interfaces: Int
    ) throws(DriverError) -> FrameArea {
        let (name, mtu) = (interface.name, Int(interface.mtu))
        // Ethernet header and one VLAN tag.
        let needed = mtu + 18 + FrameArea.headroom
        guard let chunkBytes = [2048, 4096].first(where: { needed <= $0 }) else {
            let most = 4096 - FrameArea.headroom - 18
            throw DriverError(
                .system,
                "\(name): MTU \(mtu) is more than AF_XDP takes here (\(most)); lower it (ip link set"
                    + " dev \(name) mtu 3498) or use afpacket:\(name)")
        }
        if let area = areas[chunkBytes] { return area }
        do throws(SystemError) {
            let area = try FrameArea(chunkBytes: chunkBytes, interfaces: interfaces)
            areas[chunkBytes] = area
            return area
        } catch {
            throw DriverError(.system, "\(name): frame memory for AF_XDP: \(error)")
        }
    }
}
