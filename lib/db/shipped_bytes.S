// The packed recordings as read-only data. The assembler takes the file in at once, where a compiler would read millions of
// numbers. ATTUNE_SHIPPED_DB and the dependency on that file come from cmake/PackRecordings.cmake.
    .section .rodata
    .balign 16
    .hidden attune_shipped_db_begin
    .global attune_shipped_db_begin
attune_shipped_db_begin:
    .incbin ATTUNE_SHIPPED_DB
    .hidden attune_shipped_db_end
    .global attune_shipped_db_end
attune_shipped_db_end:
    .section .note.GNU-stack,"",%progbits
