internal import CPacketIO

/// One context of libnftables, for the network namespace of the thread that made it.
@safe
final class PacketFilter {
    private let context: OpaquePointer

    /// Nil when there is no memory for it.
    init?() {
        guard let context = unsafe lvs_nft_open() else { return nil }
        unsafe self.context = context
    }

    deinit {
        unsafe lvs_nft_close(context)
    }

    /// Runs commands as one transaction: all of it is done, or nothing and the reason is returned.
    ///
    /// `onlyCheck` asks the kernel whether it would, and changes nothing.
    func run(_ commands: String, onlyCheck: Bool = false) -> String? {
        let result = unsafe commands.withCString {
            unsafe lvs_nft_run(context, $0, onlyCheck ? 1 : 0)
        }
        guard result != 0 else { return nil }
        let text = unsafe String(cString: lvs_nft_error(context))
        // The first line says what is wrong, the others repeat the commands.
        let first = text.split(separator: "\n").first.map(String.init)
        return first ?? "the kernel refused without a word"
    }

    /// What a listing command shows; nil when it fails.
    func list(_ command: String) -> String? {
        guard run(command) == nil else { return nil }
        return unsafe String(cString: lvs_nft_output(context))
    }
}
