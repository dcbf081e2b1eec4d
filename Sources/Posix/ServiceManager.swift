internal import Glibc

/// Whoever started the process and wants to be told how it gets on (systemd's `Type=notify`).
package enum ServiceManager {
    /// The variable that names the manager's socket (sd_notify(3)).
    package static let variable = "NOTIFY_SOCKET"

    /// Sends one notice, such as `READY=1`; does nothing where nobody has asked.
    package static func tell(_ notice: String) throws(SystemError) {
        guard let path = Environment.value(variable) else { return }
        var bytes = Array(path.utf8)
        // A name that begins with @ lies in no file system; its first byte is zero.
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        var address = sockaddr_un()
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemError("sendto", on: path, code: ENAMETOOLONG)
        }
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
            unsafe target.copyBytes(from: bytes)
        }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        let sender = FileDescriptor(
            owning: try checked("socket", on: path) { socket(AF_UNIX, kind, 0) })
        let number = sender.number
        let text = Array(notice.utf8)
        _ = try unsafe withUnsafePointer(to: &address) { pointer throws(SystemError) in
            try checked("sendto", on: path) {
                unsafe sendto(
                    number, text, text.count, Int32(MSG_NOSIGNAL),
                    UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), length)
            }
        }
    }
}
