internal import CPosix
internal import Glibc

/// The network namespace of the calling thread.
package enum NetworkNamespace {
    /// The number that tells namespaces apart (inode of `ns/net`).
    package static func identity() throws(SystemError) -> UInt64 {
        let path = "/proc/thread-self/ns/net"
        var status = stat()
        _ = try checked("stat", on: path) { unsafe stat(path, &status) }
        return UInt64(status.st_ino)
    }

    /// A number that no other namespace of this boot has or had, unlike `identity`; 0 on kernels before
    /// 5.14, which have none.
    package static var cookie: UInt64 { cposix_network_cookie() }

    /// Moves the calling thread, and what it opens from now on, into the namespace at `path`.
    package static func enter(path: String) throws(SystemError) {
        let number = try checked("open", on: path) { unsafe open(path, O_RDONLY | O_CLOEXEC) }
        let file = FileDescriptor(owning: number)
        _ = try checked("setns", on: path) { cposix_enter_network_namespace(file.number) }
    }

    /// Index of the interface with this name, nil when there is none.
    package static func interfaceIndex(_ name: String) -> Int32? {
        let index = unsafe if_nametoindex(name)
        return index == 0 ? nil : Int32(index)
    }

    /// MTU of the interface with this name, nil when there is none.
    package static func mtu(ofInterface name: String) -> Int? {
        let mtu = unsafe cposix_interface_mtu(name)
        return mtu < 0 ? nil : Int(mtu)
    }
}

/// The process's own identity.
package enum Identity {
    package static var user: UInt32 { geteuid() }
    package static var ownGroup: UInt32 { getegid() }
    package static var process: Int32 { getpid() }

    /// The number of a group, given by name or number; nil when there is none.
    package static func group(_ text: String) -> UInt32? {
        if let number = UInt32(text), number != .max { return number }
        guard !text.isEmpty, !text.utf8.contains(0) else { return nil }
        return unsafe UInt32(exactly: cposix_group_number(text))
    }
}
