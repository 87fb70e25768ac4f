"""Glossary: one definition of each of the app's terms, which pages show as help texts and documents as meanings."""

from typing import Final

from pneumo_core.records import Metric

TERMS: Final[dict[str, str]] = {
    Metric.ACCURACY: "Fraction of images that are classified correctly. Always predicting the more frequent class already "
    "reaches that class's share.",
    Metric.SENSITIVITY: "Recall of PNEUMONIA: fraction of PNEUMONIA images classified as PNEUMONIA; the rest are missed.",
    Metric.SPECIFICITY: "Recall of NORMAL: fraction of NORMAL images classified as NORMAL; the rest are false alarms.",
    Metric.AUROC: "Area under the ROC curve: probability that a PNEUMONIA image ranks above a NORMAL one. 0.5 is chance; it "
    "needs no threshold.",
    Metric.AUPRC: "Area under the precision-recall curve, as average precision. Random predictions give the prevalence.",
    Metric.PPV: "Precision of PNEUMONIA: fraction of predictions of PNEUMONIA that are correct. It depends on the prevalence.",
    Metric.NPV: "Precision of NORMAL: fraction of predictions of NORMAL that are correct. It depends on the prevalence.",
    Metric.BRIER: "Mean squared error of the probability: 0 is perfect, 0.25 is the result of always predicting 0.5.",
    Metric.LOG_LOSS: "Mean cross-entropy in nats, which training minimizes. Confident errors cost most.",
    "stress": "Degraded copies of the run's validation images: their frame, aspect, sharpness, compression, noise and exposure "
    "vary at random in both classes, as between devices and years, so that a cue from these does not help. Copies stay with "
    "their patient.",
    "prevalence": "Fraction of images that are PNEUMONIA. PPV, NPV and net benefit depend on it.",
    "seed": "Number that determines all random choices: weights, order, augmentation and the held-out patients. The same "
    "seed, settings and data give the same run.",
    "patient": "Identified by the file name. The prefixes bacteria, virus and IM have separate numbers.",
    "patient, prefix dropped": "Pessimistic reading of the file names: equal numbers are one child, whatever the prefix.",
    "Grad-CAM": "Gradient-weighted class activation map: regions that increase the model's probability of PNEUMONIA.",
    "occlusion": "A gray square covers one region after another; a region counts by how far the logit falls without it. It "
    "shares nothing with Grad-CAM but the model.",
    "tests of heat maps": "Run once on validation images and stored with the run: shuffled weights, deletion and insertion, "
    "noise, and the share outside the middle of the chest.",
    "shortcut": "A feature that predicts the class in these images without showing the disease, such as a marker or a file's "
    "compression.",
    "balancing": "Handling of class imbalance in the training images; validation and test images are never balanced.",
    "feature views": "Augmented views of each image whose features are computed once by the frozen convolutions and stored for "
    "all seeds and runs; the head trains on them. 0 is the exact reproduction: the whole network trains on newly augmented "
    "images in every epoch, which takes many times as long.",
    "fine-tuning": "Second phase from the best weights, with a small learning rate, that also trains the last three "
    "convolutions. Stored features cannot be used: its epochs run through the whole network.",
    "mixup": "Into each training image and its label a share of another image's is mixed, at most half. The share is drawn "
    "from a beta distribution with this parameter: below 1, most shares are near 0; 0 mixes none.",
    "label smoothing": "Share of each label that is spread over both classes, so that no training image demands a probability "
    "of 0 or 1.",
    "weight decay": "Each step shrinks the kernels by this share of the learning rate, apart from the gradient (AdamW).",
    "schedule": "How the learning rate falls: 'plateau' lowers it when the validation loss stops falling; 'cosine' raises it "
    "for half an epoch and lowers it to 0 along a cosine, whatever the loss does.",
    "averaged weights": "Share that a moving average of the weights keeps in each step; the averages are the run's weights. "
    "0 keeps the last weights.",
    "images that choose": "Images that choose epoch, threshold and calibration: 'val', the held-out patients' images, or "
    "'stress', copies of them that are degraded as files and devices differ.",
    "test-time flip": "The model answers for an image and for its mirror image, and returns the mean.",
    "preparation": "How an image becomes a square: 'squash' resizes it, which changes its aspect; 'pad' adds black to its "
    "shorter side first, which keeps it.",
    "trained blocks": "Convolution blocks of VGG16, counted from the last, that are trained from the start. The stored "
    "features are those of the blocks before, which are larger.",
    "sample seed": "Seed of the latents. Each seed has its own samples, numbered from 0.",
    "truncation": "Largest absolute value in a latent vector, in standard deviations: a lower limit gives more typical images "
    "that vary less. Empty: no limit.",
    "KID": "Kernel inception distance between generated and real images in the feature space; lower is better, and 0 means no "
    "difference. It does not depend on the number of images.",
    "FID": "Frechet inception distance between generated and real images; lower is better. It falls with the number of images, "
    "so it is comparable only for equal numbers.",
    "precision of a generator": "Fraction of generated images that resemble real images: fidelity; higher is better.",
    "recall of a generator": "Fraction of real images that resemble generated images: diversity; higher is better.",
    "MS-SSIM": "Multi-scale structural similarity of pairs of generated images; lower means more diverse.",
    "memorization": "Fraction of generated images that are nearer to a training image than 99 % of the training images are to "
    "images of other patients, or equal to one. Of the real images it is 1 %.",
}
