internal import Posix

/// What the drivers of one director have in common: the map of served traffic, the groups that share
/// an interface among workers, and the frame memory of AF_XDP.
///
/// Made by whoever opens drivers, on one thread, and filled as drivers need it; hence the unchecked
/// conformance.
package final class DriverCommons: @unchecked Sendable {
    /// By worker, then by the size of their chunks.
    private var areas: [Int: [Int: FrameArea]] = [:]
    private var attachments: [String: Attached] = [:]
    private var groups: [String: FanoutGroup] = [:]
    /// The queues of netfilter, where interfaces are served by these.
    package let queues = NFQueueCommons()
    /// The map to keep equal to what is served; nil while no program in the kernel asks it.
    package private(set) var redirects: RedirectMap?

    package init() {}

    private struct Attached {
        weak var attachment: RedirectAttachment?
    }

    /// The attachment to an interface that another worker has made, or a new one.
    func attachment(
        to interface: InterfaceDescription, make: () throws(DriverError) -> RedirectAttachment
    ) throws(DriverError) -> RedirectAttachment {
        if let known = attachments[interface.name]?.attachment,
            known.interface == interface.index, !known.isDetached
        {
            return known
        }
        let made = try make()
        attachments[interface.name] = Attached(attachment: made)
        return made
    }

    /// What shares an interface among the packet sockets of several workers; nil for one worker.
    func group(for interface: String, workers: Int) -> FanoutGroup? {
        guard workers > 1 else { return nil }
        if let group = groups[interface] { return group }
        var reason: String?
        do throws(DriverError) {
            _ = try redirects(for: interface)
        } catch {
            reason =
                error.code == .missingPrivilege
                ? "CAP_BPF is missing" : "this kernel has no BPF maps"
        }
        let group = FanoutGroup(
            interface: interface, workers: workers, redirects: redirects, reason: reason)
        groups[interface] = group
        return group
    }

    func redirects(for interface: String) throws(DriverError) -> RedirectMap {
        if let redirects { return redirects }
        let made = try RedirectMap(interface: interface)
        redirects = made
        return made
    }

    /// The worker's area with chunks that take frames of an MTU, for so many interfaces.
    func area(
        for interface: InterfaceDescription, interfaces: Int, worker: Int
    ) throws(DriverError) -> FrameArea {
        let (name, mtu) = (interface.name, Int(interface.mtu))
        let fitting = FrameArea.chunkSizes.first { mtu <= FrameArea.longestMTU(of: $0) }
        guard let chunkBytes = fitting else {
            throw DriverError(
                .system,
                "\(name): MTU \(mtu) is more than AF_XDP takes here (\(FrameArea.longestMTU)); lower it"
                    + " (ip link set dev \(name) mtu \(FrameArea.longestNativeMTU)) or use afpacket:\(name)"
            )
        }
        if let area = areas[worker]?[chunkBytes] { return area }
        do throws(SystemError) {
            let area = try FrameArea(chunkBytes: chunkBytes, interfaces: interfaces)
            areas[worker, default: [:]][chunkBytes] = area
            return area
        } catch {
            throw DriverError(.system, "\(name): frame memory for AF_XDP: \(error)")
        }
    }
}
