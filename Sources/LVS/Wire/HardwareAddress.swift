/// An Ethernet address in the low 48 bits of a number, first byte highest.
package struct HardwareAddress: Hashable, Sendable {
    package var value: UInt64

    package init(value: UInt64) {
        self.value = value & 0xffff_ffff_ffff
    }

    /// All bits one: everyone on the segment.
    package static let broadcast = HardwareAddress(value: 0xffff_ffff_ffff)
}
