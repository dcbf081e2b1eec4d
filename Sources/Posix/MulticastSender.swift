internal import CPosix
internal import Glibc

/// A socket that sends datagrams to a multicast group by one interface, and never waits.
///
/// This host does not hear them, and they may be cut on the way (DF is clear), as those of the kernel's
/// synchronisation daemon.
package final class MulticastSender: Sendable {
    private let socket: FileDescriptor

    /// Connects to a group: 4 or 16 bytes in network order; the port is host order.
    ///
    /// `roomBytes` is the size of the send buffer, 0 for the system's own. ENODEV when the interface is not
    /// there.
    package init(
        group: [UInt8], port: UInt16, interface: Int32, timeToLive: UInt8, roomBytes: Int32 = 0
    ) throws(SystemError) {
        precondition(group.count == 4 || group.count == 16, "an IPv4 or IPv6 group")
        socket = FileDescriptor(
            owning: try checked("open a socket for the multicast group") {
                unsafe cposix_multicast_sender(
                    group, Int32(group.count), port, interface, Int32(timeToLive), roomBytes)
            })
    }

    /// Sends one datagram; false when the socket takes no more at the moment.
    package func send(_ datagram: [UInt8]) throws(SystemError) -> Bool {
        let number = socket.number
        do throws(SystemError) {
            _ = try checked("send") {
                unsafe datagram.withUnsafeBytes { bytes in
                    unsafe Glibc.send(
                        number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                }
            }
            return true
        } catch {
            guard error.wouldBlock else { throw error }
            return false
        }
    }
}
