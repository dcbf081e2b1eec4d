package import LVS

/// A driver of a network interface, as the housekeeper sees it beside the worker.
package protocol InterfaceDriver: BurstDriver, RecoverableDriver, Sendable {
    /// Name of the interface.
    var name: String { get }

    /// One line on what serves the interface, for `status`.
    var summary: String { get }

    /// Whether the interface was deleted and `refresh` has not found it again yet.
    var isDetached: Bool { get }

    /// Whether the host's stack has seen nothing of the frames received: what the engine leaves to it
    /// must go through the host door.
    var keepsFromHost: Bool { get }

    /// Serves the interface anew when it was deleted and exists again; true when it did so.
    func refresh() throws(DriverError) -> Bool

    /// Names the VLAN ids whose tagged frames belong to an interface of the host's own.
    func setHostVLANs(_ ids: Set<UInt16>)

    /// Follows what the kernel says of the interface now: its MTU and hardware address.
    func follow(_ port: Port)

    /// What the traffic so far shows that the operator should know, each thing once; the housekeeper
    /// asks every second.
    func takeAdvice() -> String?
}

extension InterfaceDriver {
    package func follow(_ port: Port) {}
    package func takeAdvice() -> String? { nil }
}
