// Operands of 16 bits as floats, for vector_variants.inl.

// The low halves of eight words as floats; the high halves once shifted down.
ATTUNE_INLINE void widen_bf16(const Words& halves, Floats& result) {
  result = reinterpret_cast<Floats>(halves << 16);
}

ATTUNE_INLINE void widen_f16(const Words& halves, Floats& result) {
  const Words magnitude = (halves & 0x7fffu) << 13;
  // The exponent bias moves by a product, which also normalises subnormals; infinities and NaNs get the
  // highest exponent.
  const Floats moved = reinterpret_cast<Floats>(magnitude) * 0x1p112f;
  const Words special = reinterpret_cast<Words>(magnitude >= (0x7c00u << 13)) & 0x7f800000u;
  result = reinterpret_cast<Floats>(reinterpret_cast<Words>(moved) | special | ((halves & 0x8000u) << 16));
}
