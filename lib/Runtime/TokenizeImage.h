/*===- TokenizeImage.h - The layout of a tokenizer image ----------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * lib/Tokenizer writes images, Tokenize*.c runs them. An image is one block of
 * bytes without pointers: a header, then sections, each aligned to 8 bytes and
 * found by its offset. All numbers are little-endian. A change here raises
 * PLM_TOK_VERSION.
 *
 * What a text goes through, and the sections that say how:
 *
 *   added tokens   ADDED, RAW_TRIE, NORMALIZED_TRIE: pieces of text that are
 *                  one id wherever they stand
 *   normalizer     PROGRAM: steps with their operands; CLASSES, LOWER,
 *                  CANONICAL, COMPATIBLE, COMPOSE: what Unicode says;
 *                  CHARSMAP_TRIE, CHARSMAP_TEXT: SentencePiece's own rules
 *   pre-tokenizer  PROGRAM
 *   model          TRIE, SCORES, MERGES...
 *   template       TEMPLATE: what stands around the ids
 *===----------------------------------------------------------------------===*/

#ifndef PLMC_RUNTIME_TOKENIZEIMAGE_H
#define PLMC_RUNTIME_TOKENIZEIMAGE_H

#include <stdint.h>

#define PLM_TOK_MAGIC 0x6b6f746d6c70ull /* "plmtok" */
#define PLM_TOK_VERSION 3

enum plm_tok_model_kind {
  PLM_TOK_WORDPIECE = 1,
  PLM_TOK_UNIGRAM = 2,
  PLM_TOK_BPE = 3,
  PLM_TOK_WORDLEVEL = 4
};

enum plm_tok_flag {
  PLM_TOK_BYTE_FALLBACK = 1,
  PLM_TOK_FUSE_UNKNOWN = 2,
  PLM_TOK_IGNORE_MERGES = 4,
  PLM_TOK_TRUNCATE_LEFT = 8,
  PLM_TOK_SPLIT_SPECIALS = 16 /* special tokens in a text are text */
};

enum plm_tok_truncation {
  PLM_TOK_LONGEST_FIRST = 0,
  PLM_TOK_ONLY_FIRST = 1,
  PLM_TOK_ONLY_SECOND = 2
};

enum plm_tok_section_kind {
  PLM_TOK_CLASS_INDEX,  /* u16 [PLM_TOK_PAGES] */
  PLM_TOK_CLASS_PAGES,  /* u8 [pages][128] */
  PLM_TOK_CLASS_VALUES, /* u32 [<= 256]: plm_tok_class */
  PLM_TOK_LOWER,        /* maps: see plm_tok_map_header */
  PLM_TOK_CANONICAL,
  PLM_TOK_COMPATIBLE,
  PLM_TOK_COMPOSE,         /* plm_tok_composition, by first, then second */
  PLM_TOK_PROGRAM,         /* u32: normalizer, then pre-tokenizer */
  PLM_TOK_CHARSMAP_TRIE,   /* tries: u32 units, see TokenizeTrie.c */
  PLM_TOK_CHARSMAP_TEXT,   /* NUL-terminated UTF-8 */
  PLM_TOK_ADDED,           /* plm_tok_added */
  PLM_TOK_RAW_TRIE,        /* value: index in ADDED */
  PLM_TOK_NORMALIZED_TRIE, /* value: index in ADDED */
  PLM_TOK_TRIE,            /* value: id */
  PLM_TOK_SCORES,          /* f64 [num_ids] */
  PLM_TOK_MERGE_STARTS,    /* u32 [num_ids + 1]: by left id */
  PLM_TOK_MERGES,          /* plm_tok_merge, in a left id by right id */
  PLM_TOK_MERGE_RESULTS,   /* u32 by rank */
  PLM_TOK_WHOLE,           /* u8 [(num_ids + 7) / 8]: BPE of the piece is it */
  PLM_TOK_CONTINUING,      /* bytes: "##" */
  PLM_TOK_WORD_END,        /* bytes: "</w>" */
  PLM_TOK_TEMPLATE,        /* plm_tok_item: of one text, then of a pair */
  PLM_TOK_NUM_SECTIONS
};

typedef struct plm_tok_section {
  uint32_t offset;
  uint32_t size; /* in bytes */
} plm_tok_section;

typedef struct plm_tok_header {
  uint64_t magic;
  uint32_t version;
  uint32_t size;     /* of the whole image */
  uint64_t checksum; /* of all bytes behind this field */
  uint64_t vocabulary_hash;
  uint32_t model;     /* plm_tok_model_kind */
  uint32_t flags;     /* plm_tok_flag */
  uint32_t num_ids;   /* the largest id + 1 */
  int32_t unknown_id; /* or -1 */
  int32_t pad_id;     /* or -1 */
  uint32_t max_word_chars;
  uint32_t normalizer_words; /* of PROGRAM; the rest is the pre-tokenizer */
  uint32_t single_items;     /* of TEMPLATE; the rest is for pairs */
  uint32_t max_length;       /* 0: do not truncate */
  uint32_t truncation;       /* plm_tok_truncation */
  double unknown_score;      /* Unigram: of a character without a piece */
  plm_tok_section sections[PLM_TOK_NUM_SECTIONS];
} plm_tok_header;

/* Tables over all code points have pages of 128; equal ones are stored once. */
#define PLM_TOK_PAGES (0x110000 >> 7)

/* Bits of a class value; the low byte is the canonical combining class, bits 8
 * to 15 how grapheme clusters break (enum plm_tok_break). */
enum plm_tok_class {
  PLM_TOK_IS_SPACE = 1 << 16,       /* White_Space */
  PLM_TOK_IS_LETTER = 1 << 17,      /* L */
  PLM_TOK_IS_NUMBER = 1 << 18,      /* N */
  PLM_TOK_IS_WORD = 1 << 19,        /* \w */
  PLM_TOK_IS_PUNCTUATION = 1 << 20, /* BERT's: P and ASCII's symbols */
  PLM_TOK_IS_CONTROL = 1 << 21,     /* what clean_text removes */
  PLM_TOK_IS_NONSPACING = 1 << 22,  /* Mn */
  PLM_TOK_IS_MARK = 1 << 23,        /* M */
  PLM_TOK_IS_IDEOGRAPH = 1 << 24    /* BERT's Chinese characters */
};

enum plm_tok_break {
  PLM_TOK_BREAK_OTHER,
  PLM_TOK_BREAK_CR,
  PLM_TOK_BREAK_LF,
  PLM_TOK_BREAK_CONTROL,
  PLM_TOK_BREAK_EXTEND,
  PLM_TOK_BREAK_ZWJ,
  PLM_TOK_BREAK_SPACING,
  PLM_TOK_BREAK_PREPEND,
  PLM_TOK_BREAK_L,
  PLM_TOK_BREAK_V,
  PLM_TOK_BREAK_T,
  PLM_TOK_BREAK_LV,
  PLM_TOK_BREAK_LVT,
  PLM_TOK_BREAK_REGIONAL,
  PLM_TOK_BREAK_PICTOGRAPH
};

/* A map from code points to texts: this header, u16 index[num_index] (an even
 * number; code points behind it map to themselves), u16 pages[num_pages][128]
 * (0: maps to itself, else 1 + record), u32 records[num_records + 1] (where in
 * the pool), u32 pool[num_pool]. */
typedef struct plm_tok_map_header {
  uint32_t num_pages, num_records, num_pool, num_index;
} plm_tok_map_header;

typedef struct plm_tok_composition {
  uint32_t first, second, composed;
} plm_tok_composition;

enum plm_tok_added_flag {
  PLM_TOK_ADDED_LSTRIP = 1,
  PLM_TOK_ADDED_RSTRIP = 2,
  PLM_TOK_ADDED_SINGLE_WORD = 4,
  PLM_TOK_ADDED_SPECIAL = 8
};

typedef struct plm_tok_added {
  uint32_t id;
  uint32_t flags;
} plm_tok_added;

typedef struct plm_tok_merge {
  uint32_t right, rank;
} plm_tok_merge;

enum plm_tok_item_kind {
  PLM_TOK_ITEM_ID = 0, /* value is an id */
  PLM_TOK_ITEM_FIRST = 1,
  PLM_TOK_ITEM_SECOND = 2
};

typedef struct plm_tok_item {
  uint32_t kind;
  uint32_t value;
  uint32_t type;
} plm_tok_item;

/* The program. A step is one word, opcode | length << 8, then `length` words of
 * operands. A text operand is its count of code points, then these. */
enum plm_tok_normalize_op {
  PLM_TOK_CLEAN = 1,      /* BERT's clean_text */
  PLM_TOK_PAD_IDEOGRAPHS, /* a space on either side */
  PLM_TOK_DROP_NONSPACING,
  PLM_TOK_DROP_MARKS,
  PLM_TOK_LOWERCASE,
  PLM_TOK_NFD,
  PLM_TOK_NFC,
  PLM_TOK_NFKD,
  PLM_TOK_NFKC,
  PLM_TOK_STRIP,         /* bit 0: left, bit 1: right */
  PLM_TOK_REPLACE,       /* text, text */
  PLM_TOK_SQUEEZE,       /* " {n,}": n, text */
  PLM_TOK_SQUEEZE_SPACE, /* "\s{n,}": n, text */
  PLM_TOK_PREPEND,       /* text */
  PLM_TOK_NMT,
  PLM_TOK_CHARSMAP,
  PLM_TOK_BYTES /* bytes as characters */
};

enum plm_tok_split_op {
  PLM_TOK_SPLIT_BERT = 64,   /* at white space, and around punctuation */
  PLM_TOK_SPLIT_SPACE,       /* at white space */
  PLM_TOK_SPLIT_WORDS,       /* \w+|[^\w\s]+ */
  PLM_TOK_SPLIT_PUNCTUATION, /* behavior */
  PLM_TOK_SPLIT_DIGITS,      /* 1: each by itself */
  PLM_TOK_SPLIT_TEXT,        /* behavior, inverted, text */
  PLM_TOK_SPLIT_SPACES,      /* \s+: behavior, inverted */
  PLM_TOK_SPLIT_GPT2,        /* behavior, inverted */
  PLM_TOK_SPLIT_CL100K,      /* behavior, inverted, most digits together */
  PLM_TOK_METASPACE, /* replacement, plm_tok_prepend, 1: split before it */
  PLM_TOK_BYTE_LEVEL /* bit 0: add_prefix_space, bit 1: GPT-2's split */
};

enum plm_tok_prepend {
  PLM_TOK_PREPEND_NEVER,
  PLM_TOK_PREPEND_FIRST,
  PLM_TOK_PREPEND_ALWAYS
};

/* What becomes of a match. */
enum plm_tok_behavior {
  PLM_TOK_REMOVED,
  PLM_TOK_ISOLATED,
  PLM_TOK_WITH_PREVIOUS,
  PLM_TOK_WITH_NEXT,
  PLM_TOK_CONTIGUOUS
};

#endif /* PLMC_RUNTIME_TOKENIZEIMAGE_H */
