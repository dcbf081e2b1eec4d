internal import CPosix
internal import Glibc

/// A socket that hears the datagrams of a multicast group on one port of one interface, and never waits.
package final class MulticastReceiver {
    private let socket: FileDescriptor

    /// Joins a group: 4 or 16 bytes in network order; the port is host order.
    ///
    /// `roomBytes` is the size of the receive buffer, 0 for the system's own. ENODEV when the interface is
    /// not there.
    package init(
        group: [UInt8], port: UInt16, interface: Int32, roomBytes: Int32 = 0
    ) throws(SystemError) {
        precondition(group.count == 4 || group.count == 16, "an IPv4 or IPv6 group")
        socket = FileDescriptor(
            owning: try checked("join the multicast group") {
                unsafe cposix_multicast_receiver(
                    group, Int32(group.count), port, interface, roomBytes)
            })
    }

    /// Readable while a datagram waits.
    package var descriptor: Int32 { socket.number }

    /// The payload of the next datagram; nil when none waits.
    ///
    /// What does not fit into the buffer is lost. The buffer is for many calls, so that none has to clear
    /// memory for the longest datagram there can be.
    package func receive(by buffer: inout [UInt8]) throws(SystemError) -> [UInt8]? {
        let number = socket.number
        do throws(SystemError) {
            let got = try checked("recv") {
                unsafe buffer.withUnsafeMutableBytes { bytes in
                    unsafe recv(number, bytes.baseAddress, bytes.count, 0)
                }
            }
            return Array(buffer[..<got])
        } catch {
            guard error.wouldBlock else { throw error }
            return nil
        }
    }
}
