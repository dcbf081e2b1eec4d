internal import Posix

/// What the process is allowed to do, by the kernel's capabilities.
package struct Privileges: Hashable, Sendable {
    /// Capabilities that a director has a use for, with the kernel's numbers.
    package enum Capability: Int, CaseIterable, Sendable {
        case netAdmin = 12
        case netRaw = 13
        case ipcLock = 14
        case sysAdmin = 21
        case bpf = 39

        package var name: String {
            switch self {
            case .netAdmin: "CAP_NET_ADMIN"
            case .netRaw: "CAP_NET_RAW"
            case .ipcLock: "CAP_IPC_LOCK"
            case .sysAdmin: "CAP_SYS_ADMIN"
            case .bpf: "CAP_BPF"
            }
        }
    }

    private let effective: UInt64

    /// Reads the text of `/proc/self/status`; nil when it names no capabilities.
    package init?(status text: String) {
        let label = "CapEff:"
        guard
            let line = text.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix(label) }
            ),
            let bits = UInt64(line.dropFirst(label.count).filter { !$0.isWhitespace }, radix: 16)
        else { return nil }
        effective = bits
    }

    /// Those of the process; nil when the kernel does not say.
    package static var current: Privileges? {
        (try? Files.read("/proc/self/status")).flatMap { Privileges(status: $0) }
    }

    package func has(_ capability: Capability) -> Bool {
        effective >> UInt64(capability.rawValue) & 1 == 1
    }

    /// Whether programs may be given to the kernel.
    package var mayLoadPrograms: Bool { has(.bpf) || has(.sysAdmin) }
}
